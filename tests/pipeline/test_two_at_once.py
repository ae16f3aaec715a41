"""Two processes of a verb that needs a complete run, at once."""

from __future__ import annotations

import shutil

import polars as pl
import pytest

from ..meeting import meet, offsets
from .conftest import Workspace

pytestmark = pytest.mark.slow


def own_code(workspace: Workspace) -> dict[str, str]:
    return {"PYTHONPATH": str(workspace.folder / "src")}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_scores_that_two_write_to_one_file_are_those_of_one(small_run: Workspace, suffix: str) -> None:
    """Of other days each: the last one to finish replaces the file of the other."""
    commands = [
        ("predict", "--from", day, "--to", day, "--output", f"logs/scores.{suffix}")
        for day in ("2022-11-14", "2022-11-15")
    ]
    for delays in offsets(2, 1.0):
        ended = meet(*commands, folders=[small_run.folder] * 2, delays=delays, **own_code(small_run))
        assert [each.code for each in ended] == [0, 0], ended
        file = small_run.folder / f"logs/scores.{suffix}"
        scores = pl.read_csv(file, try_parse_dates=True) if suffix == "csv" else pl.read_parquet(file)
        assert scores["Date"].n_unique() == 1
        assert f"{len(scores):,} scores written to logs/scores.{suffix}" in [e.output.splitlines()[0] for e in ended]
        assert not [path for path in file.parent.iterdir() if path.name.startswith(".scores")]
        file.unlink()


@pytest.mark.parametrize("split", ["test", "validation"])
def test_of_two_exports_to_one_folder_one_is_refused(small_run: Workspace, split: str) -> None:
    folder = small_run.folder / "logs/exported"
    commands = [("export", "--split", each, "--output", "logs/exported") for each in (split, "test")]
    ended = meet(*commands, folders=[small_run.folder] * 2, **own_code(small_run))
    assert sorted(each.code for each in ended) == [0, 1], ended
    assert "`logs/exported` exists and is not empty" in "".join(each.errors for each in ended)
    assert len([path for path in folder.rglob("*") if path.is_file()]) == 6
    shutil.rmtree(folder)
