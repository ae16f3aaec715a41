"""Injected leakage, look-ahead and survivorship mistakes: each is refused before metrics are computed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gogooku3.errors import DataError
from gogooku3.evaluation import checks

from .conftest import calm, sessions_of

T, S = 30, 12
HORIZONS = (1, 5)
SESSIONS = sessions_of(T)
CODES = tuple(f"{1301 + place}" for place in range(S))


@pytest.fixture
def closes() -> np.ndarray:
    steps = 0.02 * np.random.default_rng(0).standard_normal((T, S))
    close_TS = 100 * np.exp(np.cumsum(steps, axis=0))
    close_TS[:6, 3] = np.nan
    close_TS[20:, 4] = np.nan
    return close_TS


def targets_of(close_TS: np.ndarray) -> np.ndarray:
    targets_TSH = np.full((T, S, len(HORIZONS)), np.nan, np.float32)
    for place, horizon in enumerate(HORIZONS):
        targets_TSH[:-horizon, :, place] = close_TS[horizon:] / close_TS[:-horizon] - 1
    return targets_TSH


def check(targets_TSH: np.ndarray, close_TS: np.ndarray) -> None:
    checks.require_targets_match_bars(targets_TSH, HORIZONS, SESSIONS, CODES, replace(calm(T, S), close_TS=close_TS))


def test_the_targets_of_the_bars_pass(closes):
    check(targets_of(closes), closes)


def test_a_label_that_is_shifted_by_one_session_is_refused(closes):
    shifted = targets_of(closes)
    shifted[1:, :, 0] = shifted[:-1, :, 0].copy()
    with pytest.raises(
        DataError, match=r"targets of horizon 1 differ from the returns of the bars: 1301 on 2023-05-02"
    ):
        check(shifted, closes)


def test_a_label_of_another_horizon_is_refused(closes):
    other = targets_of(closes)
    other[:, :, 1] = other[:, :, 0]
    with pytest.raises(DataError, match="targets of horizon 5 differ from the returns of the bars"):
        check(other, closes)


def test_labels_of_stocks_that_are_about_to_leave_cannot_be_dropped(closes):
    """Survivorship bias in the targets: the returns of a delisted stock are filtered out."""
    filtered = targets_of(closes)
    filtered[:, 4] = np.nan
    with pytest.raises(DataError, match="1305 on 2023-05-01 has nan"):
        check(filtered, closes)


def test_a_label_that_no_bar_gives_is_refused(closes):
    made_up = targets_of(closes)
    made_up[25, 4, 0] = 0.01
    with pytest.raises(DataError, match=r"1 targets of horizon 1 .* the bars give nan"):
        check(made_up, closes)


def test_targets_that_reach_beyond_the_bars_are_not_compared(closes):
    beyond = targets_of(closes)
    beyond[-1] = 0.5
    check(beyond, closes)


def test_scores_of_survivors_alone_are_refused(closes):
    market_state = replace(calm(T, S), close_TS=closes)
    scores_TSH = np.where(np.isfinite(closes), 1.0, np.nan)[..., None].repeat(len(HORIZONS), axis=2)
    checks.require_all_stocks_scored("ridge", scores_TSH, SESSIONS, CODES, market_state)
    scores_TSH[:, 4] = np.nan
    with pytest.raises(
        DataError, match=r"20 bars of 1 stocks \(1305\) have no score of ridge, the first on 2023-05-01"
    ):
        checks.require_all_stocks_scored("ridge", scores_TSH, SESSIONS, CODES, market_state)


def test_scores_of_survivors_alone_are_refused_at_every_horizon(closes):
    scores_TSH = np.ones((T, S, len(HORIZONS)))
    scores_TSH[8:, 5, 1] = np.nan
    with pytest.raises(
        DataError, match=r"22 bars of 1 stocks \(1306\) have no score of ridge, the first on 2023-05-11"
    ):
        checks.require_all_stocks_scored("ridge", scores_TSH, SESSIONS, CODES, replace(calm(T, S), close_TS=closes))


@pytest.mark.parametrize(("at", "date"), [(5, "2023-05-05"), (1, "2023-05-01")])
def test_a_session_that_is_listed_twice_is_refused(at, date):
    sessions = SESSIONS.copy()
    checks.require_ascending_sessions(sessions)
    sessions[at] = sessions[at - 1]
    with pytest.raises(DataError, match=f"session {date} comes after {date}"):
        checks.require_ascending_sessions(sessions)


def test_sessions_out_of_order_are_refused():
    with pytest.raises(DataError, match="session 2023-06-08 comes after 2023-06-09"):
        checks.require_ascending_sessions(SESSIONS[::-1])


def test_closes_that_were_copied_with_their_next_are_refused(closes):
    """A single duplicated close is not detected here; duplicated whole bars are refused when they are read."""
    checks.require_distinct_returns(SESSIONS, targets_of(closes)[..., 0])
    closes[16:18] = closes[9:11]
    with pytest.raises(DataError, match="after 2023-05-12 and after 2023-05-23 all stocks have the same returns"):
        checks.require_distinct_returns(SESSIONS, targets_of(closes)[..., 0])


def test_sessions_in_which_nothing_is_known_or_nothing_moved_are_no_copies():
    returns_TS = np.random.default_rng(0).standard_normal((T, S))
    returns_TS[[3, 4]], returns_TS[[8, 20]] = 0.0, np.nan
    checks.require_distinct_returns(SESSIONS, returns_TS)


@pytest.mark.parametrize(("which", "value"), [("scores", np.inf), ("targets", -np.inf)])
def test_infinite_values_are_refused(which, value):
    arrays = {"scores": np.zeros((T, S, 2)), "targets": np.zeros((T, S, 2))}
    arrays[which][3, 4, 1] = value
    with pytest.raises(DataError, match=f"1 of {T * S * 2} {which} are infinite"):
        checks.require_finite(arrays["scores"], arrays["targets"])
