from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from gogooku3.config.dataset import Split
from gogooku3.dataset.splits import as_json, cut
from gogooku3.errors import DataError

FIRST = date(2023, 1, 1)
SESSIONS = np.array([FIRST + timedelta(days=n) for n in range(200)], "datetime64[D]")


def _split(train: int, validation: int, test: int, embargo: int) -> Split:
    days = (FIRST + timedelta(days=n) for n in (train, validation, test))
    return Split(*days, embargo)


def test_the_embargo_is_before_validation_and_before_test() -> None:
    spans = cut(SESSIONS, _split(10, 100, 150, embargo=20), horizon=20, lookback=30)
    # sessions 80 … 99 and 130 … 149 belong to no split
    assert spans == {"train": (10, 79), "validation": (100, 129), "test": (150, 199)}


def test_no_target_of_a_split_leaks_into_the_next() -> None:
    spans = cut(SESSIONS, _split(0, 100, 150, embargo=20), horizon=20, lookback=30)
    assert spans["train"][1] + 20 < spans["validation"][0]
    assert spans["validation"][1] + 20 < spans["test"][0]


def test_a_split_that_starts_on_a_closed_day_starts_at_the_next_session() -> None:
    open_days = np.delete(SESSIONS, [100, 101])
    spans = cut(open_days, _split(0, 100, 150, embargo=5), horizon=5, lookback=30)
    assert open_days[spans["validation"][0]] == SESSIONS[102]
    assert spans["train"] == (0, 94)


def test_a_horizon_and_five_sessions_are_just_enough() -> None:
    spans = cut(SESSIONS, _split(0, 100, 145, embargo=20), horizon=20, lookback=56)
    assert spans == {"train": (0, 79), "validation": (100, 124), "test": (145, 199)}


@pytest.mark.parametrize(
    ("split", "lookback", "message"),
    [
        (_split(0, 100, 144, embargo=20), 30, "train 51, validation 24, test 56"),
        (_split(0, 100, 150, embargo=20), 57, "train 24, validation 30, test 50"),
        (_split(0, 100, 176, embargo=20), 30, "train 51, validation 56, test 24"),
        (_split(0, 300, 400, embargo=20), 30, "train 151, validation 0, test 0"),
    ],
)
def test_a_shorter_split_is_refused_with_the_counts(split: Split, lookback: int, message: str) -> None:
    with pytest.raises(DataError) as refusal:
        cut(SESSIONS, split, horizon=20, lookback=lookback)
    assert message in refusal.value.message
    assert "200 sessions from 2023-01-01 to 2023-07-19" in refusal.value.message


def test_the_file_names_first_and_last_session() -> None:
    content = as_json({"train": (0, 9)}, SESSIONS, embargo=20)
    assert content == {"embargo": 20, "train": {"first": "2023-01-01", "last": "2023-01-10", "sessions": 10}}
