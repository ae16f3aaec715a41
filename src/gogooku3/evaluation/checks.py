"""Integrity checks of scores and targets before evaluation: data leakage, look-ahead, duplicates, survivorship bias."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gogooku3.dataset.elementwise import divide
from gogooku3.errors import DataError, abbreviate
from gogooku3.evaluation.market_state import MarketState
from gogooku3.metrics.cross_section import Floats

_ROUNDING = 1e-5
"""Relative tolerance of a return in single precision, with room for the order in which split factors multiply."""


def require_finite(scores_TSH: NDArray[np.floating], targets_TSH: NDArray[np.floating]) -> None:
    """Refuses infinite values; a missing one is NaN."""
    for name, values in (("scores", scores_TSH), ("targets", targets_TSH)):
        infinite = int(np.isinf(values).sum())
        if infinite:
            raise DataError(
                f"{infinite} of {values.size} {name} are infinite",
                hint="use NaN for a missing value; look for a division by zero where they are computed",
            )


def require_ascending_sessions(sessions: NDArray[np.datetime64]) -> None:
    """Refuses duplicate or unordered dates: their returns would count twice, or in the wrong session."""
    backwards = np.flatnonzero(sessions[1:] <= sessions[:-1])
    if len(backwards):
        raise DataError(
            f"session {sessions[backwards[0] + 1]} comes after {sessions[backwards[0]]}: sessions must be unique and"
            " ascending",
            hint="rebuild the dataset with `dvc repro dataset`",
        )


def require_distinct_returns(sessions: NDArray[np.datetime64], next_returns_TS: NDArray[np.floating]) -> None:
    """Refuses two sessions after which all stocks have the same returns: at least two closes are duplicates.

    They would count twice, and every interval would be too narrow. A single duplicated close is not detected here,
    because its neighbours differ: `quotes.rules` refuses it by comparing whole bars, if these have volumes.
    """
    first: dict[bytes, int] = {}
    for row, returns_S in enumerate(next_returns_TS):
        known = returns_S[np.isfinite(returns_S)]
        if len(np.unique(known)) < 2:  # a session without any return, or in which no price moved
            continue
        earlier = first.setdefault(np.nan_to_num(returns_S, nan=np.inf).tobytes(), row)
        if earlier != row:
            raise DataError(
                f"after {sessions[earlier]} and after {sessions[row]} all stocks have the same returns: these closes"
                " and the next are duplicates",
                hint="correct both dates in the bars that `quotes.inputs` names",
            )


def require_targets_match_bars(
    targets_TSH: NDArray[np.floating],
    horizons: Sequence[int],
    sessions: NDArray[np.datetime64],
    codes: Sequence[str],
    market_state: MarketState,
) -> None:
    """Refuses targets that differ from the returns of the bars: shifted (leakage), of another horizon, or filtered.

    Recomputes the returns from the split-adjusted closes, from each close to the one `horizon` sessions later; a target
    must exist exactly if both closes exist.

    Args:
        targets_TSH: targets of all sessions in `market_state`; targets that reach beyond its end are not compared.
        sessions: dates of the T sessions.
        codes: codes of the S stocks.
    """
    close_TS = market_state.close_TS
    for index, horizon in enumerate(horizons):
        expected_TS: Floats = divide(close_TS[horizon:], close_TS[:-horizon]) - 1
        target_TS = targets_TSH[: len(expected_TS), :, index]
        wrong_TS = np.abs(target_TS - expected_TS) > _ROUNDING * (1 + np.abs(expected_TS))
        wrong_TS |= np.isnan(target_TS) != np.isnan(expected_TS)
        if wrong_TS.any():
            row, column = map(int, np.argwhere(wrong_TS)[0])
            raise DataError(
                f"{int(wrong_TS.sum())} targets of horizon {horizon} differ from the returns of the bars:"
                f" {codes[column]} on {sessions[row]} has {target_TS[row, column]:.6f}, the bars give"
                f" {expected_TS[row, column]:.6f}",
                hint="shifted or filtered labels leak the future and fake skill: rebuild the dataset from these quotes"
                " (`dvc repro dataset`)",
            )


def require_all_stocks_scored(
    whose: str,
    scores_TSH: NDArray[np.floating],
    sessions: NDArray[np.datetime64],
    codes: Sequence[str],
    market_state: MarketState,
) -> None:
    """Refuses scores for only some of the stocks with a bar: selecting stocks can be look-ahead (survivorship bias).

    Args:
        whose: name of the model or baseline, for the message.
        scores_TSH: scores of the sessions of `market_state`; each bar needs one for every horizon.
    """
    unscored_TS = np.isfinite(market_state.close_TS) & np.isnan(scores_TSH).any(axis=-1)
    if unscored_TS.any():
        stocks = [codes[int(column)] for column in np.flatnonzero(unscored_TS.any(axis=0))]
        row = int(np.flatnonzero(unscored_TS.any(axis=1))[0])
        raise DataError(
            f"{int(unscored_TS.sum())} bars of {len(stocks)} stocks ({abbreviate(stocks)}) have no score of {whose},"
            f" the first on {sessions[row]}",
            hint="score every stock that has a bar; a filter for surviving stocks is look-ahead",
        )
