"""The plan equals skfolio's splitter, has no look-ahead, and refuses folds that do not fit."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from skfolio.model_selection import WalkForward as Splitter

from gogooku3.config.dataset import Split
from gogooku3.config.evaluation import WalkForward
from gogooku3.dataset.schema import Column, Schema
from gogooku3.dataset.splits import SPLITS
from gogooku3.errors import DataError
from gogooku3.walk_forward.plan import Fold, folds_that_fit, plan, read_plan

HORIZON, LOOKBACK = 20, 30
SCHEMA = Schema((Column("ret_5", "returns", LOOKBACK, "stock", "", "float32"),), (1, HORIZON), 8)
SESSIONS = np.busday_offset("2020-01-06", np.arange(300), roll="forward")
WALK = WalkForward(train=120, validation=30, test=25, expanding=False, folds=[1, 2, 3, 4])
SPLIT = Split(date(2020, 1, 6), date(2020, 9, 1), date(2020, 11, 2), 20)


def planned(walk: WalkForward = WALK, split: Split = SPLIT, sessions: np.ndarray = SESSIONS) -> list[Fold]:
    return plan(sessions, SCHEMA, walk, split)


def indices(fold: Fold, split: str) -> np.ndarray:
    rows = fold.rows(split)
    return np.arange(rows.start, rows.stop)


@pytest.mark.parametrize("expanding", [False, True])
@pytest.mark.parametrize(
    ("train", "validation", "test", "embargo"),
    [(120, 30, 25, 20), (60, 25, 1, 20), (150, 40, 45, 21), (64, 26, 30, 33)],
)
def test_every_fold_equals_skfolios(train: int, validation: int, test: int, embargo: int, expanding: bool) -> None:
    """The outer split is training plus validation versus test, the inner one training versus validation."""
    fitting = folds_that_fit(len(SESSIONS), WalkForward(train, validation, test, expanding, [1]), embargo)
    walk = WalkForward(train, validation, test, expanding, list(range(1, fitting + 1)))
    folds = planned(walk, replace(SPLIT, embargo=embargo))
    learnt = train + embargo + validation
    outer = Splitter(test_size=test, train_size=learnt, purged_size=embargo, expand_train=expanding, reduce_test=True)
    cuts = list(outer.split(SESSIONS))
    assert len(folds) == len(cuts) == fitting
    for fold, (learnt_N, test_N) in zip(folds, cuts, strict=True):
        assert indices(fold, "test").tolist() == test_N.tolist()
        assert [fold.spans["train"][0], fold.spans["validation"][1]] == [learnt_N[0], learnt_N[-1]]
        inner = Splitter(test_size=validation, train_size=len(learnt_N) - embargo - validation, purged_size=embargo)
        ((train_N, validation_N),) = inner.split(learnt_N)
        assert indices(fold, "train").tolist() == learnt_N[train_N].tolist()
        assert indices(fold, "validation").tolist() == learnt_N[validation_N].tolist()


@given(st.integers(55, 200), st.integers(25, 60), st.integers(1, 80), st.integers(20, 40), st.booleans())
def test_no_fold_trains_on_its_test_prices(
    train: int, validation: int, test: int, embargo: int, expanding: bool
) -> None:
    fitting = folds_that_fit(len(SESSIONS), WalkForward(train, validation, test, expanding, [1]), embargo)
    assume(fitting)
    walk = WalkForward(train, validation, test, expanding, list(range(1, fitting + 1)))
    folds = planned(walk, replace(SPLIT, embargo=embargo))
    for fold in folds:
        for split, following in pairwise(SPLITS):
            assert fold.spans[split][1] + HORIZON < fold.spans[following][0]
    tested = np.concatenate([indices(fold, "test") for fold in folds])
    assert tested.tolist() == list(range(tested[0], len(SESSIONS)))


def test_the_first_session_is_that_of_the_split() -> None:
    later = planned(replace(WALK, folds=[1, 2]), replace(SPLIT, train_from=date(2020, 2, 1)))
    assert str(SESSIONS[later[0].spans["train"][0]]) == "2020-02-03"
    assert later[1].spans["train"][0] - later[0].spans["train"][0] == WALK.test


def test_only_the_folds_that_are_named_are_planned_each_as_among_all() -> None:
    assert planned(replace(WALK, folds=[2, 4])) == [fold for fold in planned() if fold.number in (2, 4)]


@pytest.mark.parametrize(
    ("walk", "text"),
    [
        (replace(WALK, folds=[1, 6]), "fold 6 of `evaluation.walk_forward.folds` has no session to test"),
        (replace(WALK, train=250, folds=[1]), "there are 300 sessions, and 0 folds fit"),
        (replace(WALK, train=53, folds=[1]), "fold 1 has 24 usable train sessions and needs 25"),
        (replace(WALK, validation=24), "fold 1 has 24 usable validation sessions and needs 25"),
    ],
)
def test_folds_that_do_not_fit_are_refused_with_the_counts(walk: WalkForward, text: str) -> None:
    with pytest.raises(DataError) as refusal:
        planned(walk)
    assert text in refusal.value.message


def test_the_last_fold_ends_with_the_data() -> None:
    walk = replace(WALK, folds=[5])
    assert planned(walk)[0].spans["test"] == (290, 299)
    with pytest.raises(DataError, match="has no session to test"):
        planned(walk, sessions=SESSIONS[:290])


def write(folder: Path, folds: list[Fold]) -> None:
    for fold in folds:
        (folder / f"{fold.number}.json").write_text(json.dumps(fold.as_json(SESSIONS)))


def test_a_plan_is_read_as_it_was_written_in_the_order_of_the_numbers(tmp_path: Path) -> None:
    folds = planned(replace(WALK, test=5, folds=[2, 10, 11]))
    write(tmp_path, folds)
    assert read_plan(tmp_path, SESSIONS, HORIZON) == folds
    content = json.loads((tmp_path / "10.json").read_text())
    assert content["fold"] == 10
    assert content["test"] == {"first": str(SESSIONS[235]), "last": str(SESSIONS[239]), "sessions": 5}


@pytest.mark.parametrize(
    ("spans", "text"),
    [
        ({"train": (0, 130)}, "targets of train over 20 sessions reach 11 sessions into the validation of fold 1"),
        ({"train": (0, 120)}, "reach 1 sessions into the validation of fold 1"),
        ({"validation": (140, 170)}, "targets of validation over 20 sessions reach 1 sessions into the test of fold 1"),
    ],
)
def test_targets_that_reach_into_the_next_split_are_refused(
    tmp_path: Path, spans: dict[str, tuple[int, int]], text: str
) -> None:
    (fold,) = planned(replace(WALK, folds=[1]))
    write(tmp_path, [Fold(1, fold.spans | spans)])
    with pytest.raises(DataError) as refusal:
        read_plan(tmp_path, SESSIONS, HORIZON)
    assert text in refusal.value.message


def test_a_session_that_two_folds_test_is_named(tmp_path: Path) -> None:
    one = planned()[0]
    write(tmp_path, [one, Fold(2, one.spans | {"test": (one.spans["test"][1], 260)})])
    with pytest.raises(DataError, match=f"folds 1 and 2 both test {SESSIONS[one.spans['test'][1]]}"):
        read_plan(tmp_path, SESSIONS, HORIZON)


def test_a_plan_for_other_sessions_or_none_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no folds"):
        read_plan(tmp_path, SESSIONS, HORIZON)
    write(tmp_path, planned())
    with pytest.raises(DataError, match="differ in"):
        read_plan(tmp_path, SESSIONS[:200], HORIZON)
