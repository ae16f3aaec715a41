from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from gogooku3.cli import main
from gogooku3.cli.feature_reference import markdown
from gogooku3.features.registry import select
from gogooku3.features.subsets import SUBSETS

PAGE = Path(__file__).parents[2] / "docs" / "features.md"


def test_the_committed_page_is_what_the_registry_prints() -> None:
    assert PAGE.read_text(encoding="utf-8") == markdown(), "gogooku3 features --markdown > docs/features.md"


def test_the_command_prints_the_page() -> None:
    assert CliRunner().invoke(main, ["features", "--markdown"]).output == markdown()


@pytest.mark.parametrize("subset", SUBSETS)
def test_the_command_lists_every_feature_of_a_set_in_order(subset: str) -> None:
    rows = json.loads(CliRunner().invoke(main, ["features", "--set", subset, "--json"]).output)
    wanted = [(f.name, f.family, f.lookback, f.scope, f.definition) for f in select(subset)]
    assert [tuple(row[key] for key in ("name", "family", "lookback", "scope", "definition")) for row in rows] == wanted


def test_the_page_gives_each_feature_the_smallest_set_that_contains_it() -> None:
    listed = dict(re.findall(r"^\| `(\w+)` \|.*\| (\w+) \|$", markdown(), re.MULTILINE))
    smallest = {feature.name: subset for subset in reversed(SUBSETS) for feature in select(subset)}
    assert listed == smallest


def test_a_pipe_in_a_definition_does_not_end_its_cell() -> None:
    rows = [line for line in markdown().splitlines() if line.startswith("| `")]
    assert {len(re.split(r"(?<!\\)\|", row)) for row in rows} == {7}
