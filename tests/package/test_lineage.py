"""Lineage: round trip, and invalid files are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gogooku3.errors import DataError
from gogooku3.package.lineage import LINEAGE, Parent, read_lineage, write_lineage

PARENT = Parent("tier1@v1.0.0", "0" * 40, "ab" * 32)


@pytest.mark.parametrize("parent", [None, PARENT])
def test_a_lineage_round_trips(tmp_path: Path, parent: Parent | None) -> None:
    write_lineage(parent, tmp_path)
    assert read_lineage(tmp_path) == parent


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "null",
        "{}",
        '{"start_from": 1}',
        '{"start_from": {"tag": "tier1@v1.0.0"}}',
        '{"start_from": null, "x": 1}',
        '{"start_from": {"tag": "a@v1.0.0", "commit": "0", "model_sha256": "0", "x": 1}}',
    ],
)
def test_an_invalid_lineage_is_refused_and_not_taken_for_scratch(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / LINEAGE).write_text(content)
    with pytest.raises(DataError):
        read_lineage(tmp_path)


def test_it_reads_as_json_for_others(tmp_path: Path) -> None:
    write_lineage(PARENT, tmp_path)
    content = json.loads((tmp_path / LINEAGE).read_text())
    assert content["start_from"] == {"tag": PARENT.tag, "commit": PARENT.commit, "model_sha256": PARENT.model_sha256}
