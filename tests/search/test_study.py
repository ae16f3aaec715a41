"""A study's proposals and its recorded trials."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from gogooku3 import config
from gogooku3.errors import ConfigError, DataError, MachineError
from gogooku3.search.space import Space
from gogooku3.search.study import FinishedTrial, Study

from ..disks import mounted

COMMIT = "c0ffee" * 6 + "beef"


def space(**more: Any) -> Space:
    parameters = {
        "rate": {"low": 1e-4, "high": 1e-2, "log": True},
        "size": {"choices": [8, 16, 32]},
        "layers": {"low": 1, "high": 9, "step": 2},
        "weights": {"choices": [[1.0, 0.0], [0.0, 1.0], None]},
    }
    tree = {"objective": "sharpe", "trials": 5, "seed": 3, "parameters": parameters} | more
    return config.checked(Space, tree, hint="")


def skill(values: dict[str, Any]) -> float:
    return values["size"] / 32 - abs(math.log10(values["rate"]) + 3) - values["layers"] / 9


def grown(file: Path, trials: int, reopened: bool) -> list[FinishedTrial]:
    study = Study(file, COMMIT, space())
    for number in range(trials):
        if reopened:
            study = Study(file, COMMIT, space())
        values = study.propose()
        study.record(
            FinishedTrial(values, reason="diverged")
            if number == 4
            else FinishedTrial(values, skill(values), f"a-{number}")
        )
    return study.finished


def test_the_same_study_proposes_the_same_points_however_often_it_is_taken_up_again(tmp_path: Path) -> None:
    """12 trials: the first ten are random, the others come from the estimator."""
    whole = grown(tmp_path / "whole", 12, reopened=False)
    assert whole == grown(tmp_path / "again", 12, reopened=True)
    assert len({known.values["rate"] for known in whole}) == 12
    other = Study(tmp_path / "other", COMMIT, space(seed=4)).propose()
    assert other != whole[0].values


def test_proposals_are_in_the_space_with_the_right_types(tmp_path: Path) -> None:
    study = Study(tmp_path / "study", COMMIT, space())
    for known in grown(tmp_path / "other", 6, reopened=False):
        assert study.contains(known.values)
        assert 1e-4 <= known.values["rate"] <= 1e-2
        assert known.values["layers"] in (1, 3, 5, 7, 9)
        assert known.values["weights"] in ([1.0, 0.0], [0.0, 1.0], None)
    values = {"rate": 1e-3, "size": 8, "layers": 3, "weights": None}
    assert study.contains(values)
    for name, value in (("rate", 0.1), ("size", 64), ("layers", 2), ("layers", 11), ("weights", [1.0, 1.0])):
        assert not study.contains(values | {name: value}), name


def test_finished_trials_improve_proposals(tmp_path: Path) -> None:
    """After thirty trials, proposals are better than the first ten, which are random."""
    values = [known.value for known in grown(tmp_path / "study", 30, reopened=False) if known.value is not None]
    assert sum(values[-10:]) / 10 > sum(values[:9]) / 9 + 0.3


def test_a_space_of_choices_is_a_grid_that_tries_each_combination_once(tmp_path: Path) -> None:
    parameters = {"sharpe": {"choices": [1.0]}, "ic": {"choices": [0.0, 0.25, 1.0]}, "clip": {"choices": [[1], None]}}
    study = Study(tmp_path / "study", COMMIT, space(parameters=parameters))
    for number in range(7):
        study.record(FinishedTrial(study.propose(), float(number), f"a-{number}"))
    values = [known.values for known in study.finished]
    assert all(values[:6].count(each) == 1 for each in values[:6])
    assert values[6] in values[:6], "nothing is left"


def test_a_study_may_be_resumed_for_more_tiers(tmp_path: Path) -> None:
    """Also one of a version whose search files named no tier."""
    grown(tmp_path / "study", 2, reopened=False)
    assert len(Study(tmp_path / "study", COMMIT, space(tiers=["tier1"])).finished) == 2


def test_trials_of_another_commit_are_another_study(tmp_path: Path) -> None:
    grown(tmp_path / "study", 2, reopened=False)
    assert Study(tmp_path / "study", COMMIT[::-1], space()).finished == []
    assert len(Study(tmp_path / "study", COMMIT, space(trials=50)).finished) == 2


@pytest.mark.parametrize(
    "more", [{"seed": 4}, {"objective": "mean_rank_ic"}, {"parameters": {"rate": {"choices": [1]}}}]
)
def test_a_study_that_was_begun_otherwise_is_refused(tmp_path: Path, more: dict[str, Any]) -> None:
    Study(tmp_path / "study", COMMIT, space())
    with pytest.raises(ConfigError, match=f"started at commit {COMMIT[:10]} with another space"):
        Study(tmp_path / "study", COMMIT, space(**more))


def test_a_full_disk_is_not_a_damaged_study(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "64k") as disk:
        (disk.folder / "ballast").write_bytes(bytes(1 << 15))
        with pytest.raises(MachineError, match="disk/study` cannot be used: No space left on device"):
            Study(disk.folder / "study", COMMIT, space())


def test_a_file_that_is_no_study_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "study").write_bytes(b"something else" * 100)
    with pytest.raises(DataError, match=r"is not a study(?s:.*)rebuilds it from the experiments"):
        Study(tmp_path / "study", COMMIT, space())
