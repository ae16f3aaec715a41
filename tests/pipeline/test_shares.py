"""The dataset's stage, run by the real DVC, uses the shards' results from here and from another machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import SMALL, Workspace

WORKSHOP = "data/.dataset.partial"


def places(folder: Path) -> dict[str, tuple[int, int]]:
    """Identifies files that were not written again."""
    return {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in (folder / "features").iterdir()}


@pytest.mark.slow
def test_dvc_leaves_the_shares_to_the_stage_which_takes_them_over(workspace: Workspace, tmp_path: Path) -> None:
    workspace.compose(SMALL | {"dataset.clip": "4.0"})
    other, alone = workspace.copy(tmp_path / "other"), workspace.copy(tmp_path / "alone")
    before = workspace.bytes_of("data/dataset")
    workspace.run("gogooku3", "dataset", "make", "--share", "1/2")
    other.run("gogooku3", "dataset", "make", "--share", "2/2")
    assert workspace.bytes_of("data/dataset") == before
    # Each still has the earlier run's records for the other's months: the newer ones count.
    workspace.run("cp", "--archive", "--update", f"{other.folder / WORKSHOP}/.", WORKSHOP)
    made = places(workspace.folder / WORKSHOP / "whole")
    assert len(made) == 23
    workspace.run("dvc", "repro", "dataset")
    assert places(workspace.folder / "data/dataset") == made
    alone.run("dvc", "repro", "dataset")
    assert workspace.bytes_of("data/dataset") == alone.bytes_of("data/dataset") != before
    assert (workspace.folder / "dvc.lock").read_bytes() == (alone.folder / "dvc.lock").read_bytes()
