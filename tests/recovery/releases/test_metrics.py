"""Metrics files of every version are read; an invalid file is an error with the position."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gogooku3.errors import DataError
from gogooku3.metrics.split_file import content_of
from gogooku3.package.results import _PLAIN
from gogooku3.recovery.releases import metrics
from gogooku3.recovery.releases.metrics import Cell, Metrics, Sharpe

Commit = Callable[[str, str], str]

DAMAGED = {
    "": "not JSON: ",
    "{": "not JSON: ",
    "[" * 100_000: "not JSON: ",
    "\udcff": "not a table of metrics: Input should be a valid string",
    "[]": "not a table of metrics: Input should be an object",
    "1.5": "not a table of metrics: Input should be an object",
    '{"sharpe": 1.5}': "not a table of metrics: sharpe: ",
    '{"sharpe": null}': "not a table of metrics: sharpe: ",
    '{"sharpe": {"value": "high"}}': "not a table of metrics: sharpe.value: Input should be a valid number",
    '{"rank_ic": {"5": {"low": true}}}': "not a table of metrics: rank_ic.5.low: ",
    '{"capacity": "1e9"}': "not a table of metrics: capacity: ",
    '{"universe": {"left": 0.5}}': "not a table of metrics: universe.left: ",
    '{"from": 20240104}': "not a table of metrics: from: ",
}
"""Content and the error message."""


@pytest.fixture
def commit(tmp_path: Path) -> Commit:
    """Commits a file in a new repository; returns the commit."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "--quiet")
    git("config", "user.name", "Test")
    git("config", "user.email", "test@example.com")

    def write(path: str, text: str) -> str:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, errors="surrogateescape")
        git("add", "--all")
        git("commit", "--quiet", "--message", "Metrics")
        return git("rev-parse", "HEAD")

    return write


def test_only_the_metrics_in_a_file_are_read(commit: Commit, tmp_path: Path) -> None:
    table = {
        "sharpe": {"value": 1, "low": None, "deflated": 0.9},
        "rank_ic": {"5": {"value": 0.25}},
        "to": "2024-02-29",
        "later": [1],
    }
    text = json.dumps(table)
    assert metrics.parse(text) == table
    rev = commit("metrics/test.json", text)
    assert metrics.read(tmp_path, rev, "test") == Metrics(
        **{"to": "2024-02-29"}, sharpe=Sharpe(value=1.0), rank_ic={"5": Cell(value=0.25)}
    )
    assert metrics.read(tmp_path, rev, "validation") is None


@pytest.mark.parametrize(("text", "says"), DAMAGED.items(), ids=range(len(DAMAGED)))
def test_a_file_that_no_version_wrote_is_an_error_that_names_it(
    text: str, says: str, commit: Commit, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=f"^{says}"):
        metrics.parse(text)
    rev = commit("metrics/test.json", text)
    with pytest.raises(DataError) as refused:
        metrics.read(tmp_path, rev, "test")
    assert refused.value.message.startswith(f"`metrics/test.json` of `{rev}` is not ")
    assert f"git log {rev} -- metrics/test.json" in refused.value.hint


@pytest.mark.parametrize("place", [path for _, path, _ in _PLAIN], ids=".".join)
def test_every_metric_that_a_page_shows_is_checked_when_it_is_read(place: tuple[str, ...]) -> None:
    table: object = "high"
    for name in reversed(place):
        table = {name: table}
    with pytest.raises(ValueError, match=rf"^not a table of metrics: {'.'.join(place)}: "):
        metrics.parse(json.dumps(table))


def test_the_table_is_read_from_the_newer_layout() -> None:
    table = {"sharpe": {"value": 1.5}, "turnover": 0.25, "later": [1]}
    text = json.dumps(content_of(table))
    assert metrics.parse(text) == table
    assert metrics.validated(text) == metrics.validated(json.dumps(table))


def test_a_number_beside_the_table_must_be_that_of_the_table() -> None:
    edited = json.dumps(content_of({"sharpe": {"value": 1.5}}) | {"sharpe": 9.5})
    with pytest.raises(ValueError, match=r"^not a table of metrics: sharpe 9\.5, and its `evaluation` has 1\.5"):
        metrics.validated(edited)


@pytest.mark.parametrize("nested", ["[]", "[1]", "{}", '[{"sharpe": 1}]', "[{}, {}]"])
def test_a_damaged_table_in_the_newer_layout_is_an_error(nested: str) -> None:
    with pytest.raises(ValueError, match=r"^not a table of metrics: "):
        metrics.parse(f'{{"sharpe": 1.5, "evaluation": {nested}}}')
