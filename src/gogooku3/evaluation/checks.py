"""What must hold of scores and targets before a number is made of them: each names what a mistake would have sold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gogooku3.dataset.elementwise import divide
from gogooku3.errors import DataError, abbreviate
from gogooku3.evaluation.market_state import MarketState
from gogooku3.metrics.cross_section import Floats

_ROUNDING = 1e-5
"""Of a return in single precision, with room for the order in which splits are multiplied."""


def require_finite(scores_TSH: NDArray[np.floating], targets_TSH: NDArray[np.floating]) -> None:
    """Refuses infinite values; a missing one is NaN."""
    for name, values in (("scores", scores_TSH), ("targets", targets_TSH)):
        infinite = int(np.isinf(values).sum())
        if infinite:
            raise DataError(
                f"{infinite} of {values.size} {name} are infinite",
                hint="a missing value is NaN; look for a division by zero where they were made",
            )


def require_ascending_sessions(sessions: NDArray[np.datetime64]) -> None:
    """Refuses a date that is there twice or out of order: its returns would count twice, or at another's place."""
    backwards = np.flatnonzero(sessions[1:] <= sessions[:-1])
    if len(backwards):
        raise DataError(
            f"session {sessions[backwards[0] + 1]} comes after {sessions[backwards[0]]}: sessions must rise, each once",
            hint="make the dataset anew with `dvc repro dataset`",
        )


def require_distinct_returns(sessions: NDArray[np.datetime64], next_returns_TS: NDArray[np.floating]) -> None:
    """Refuses two sessions from which all stocks went on to the same returns: two closes or more that were copied.

    They would count twice, and every interval would be too narrow. One copied close is not seen here, for the closes
    beside it are others: `quotes.rules` refuses it by the whole bars, if these have volumes.
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
                " and the next are copies of one another",
                hint="look at both dates in the bars that `quotes.inputs` names, and give each its own",
            )


def require_targets_match_bars(
    targets_TSH: NDArray[np.floating],
    horizons: Sequence[int],
    sessions: NDArray[np.datetime64],
    codes: Sequence[str],
    market_state: MarketState,
) -> None:
    """Refuses targets that are not the returns of the bars: shifted, of another horizon, or filtered.

    Compared with returns made here from the adjusted closes, from each close to the one `horizon` sessions later,
    known where and only where both closes are.

    Args:
        targets_TSH: of all sessions in `market_state`; targets that reach beyond its end are not compared.
        sessions: dates of the T sessions.
        codes: of the S stocks.
    """
    close_TS = market_state.close_TS
    for place, horizon in enumerate(horizons):
        expected_TS: Floats = divide(close_TS[horizon:], close_TS[:-horizon]) - 1
        found_TS = targets_TSH[: len(expected_TS), :, place]
        unlike_TS = np.abs(found_TS - expected_TS) > _ROUNDING * (1 + np.abs(expected_TS))
        unlike_TS |= np.isnan(found_TS) != np.isnan(expected_TS)
        if unlike_TS.any():
            row, column = map(int, np.argwhere(unlike_TS)[0])
            raise DataError(
                f"{int(unlike_TS.sum())} targets of horizon {horizon} are not what the bars returned: {codes[column]}"
                f" on {sessions[row]} has {found_TS[row, column]:.6f}, by the bars {expected_TS[row, column]:.6f}",
                hint="a label that is shifted or filtered makes any model look skilled: make the dataset anew from"
                " these quotes (`dvc repro dataset`)",
            )


def require_all_stocks_scored(
    whose: str,
    scores_TSH: NDArray[np.floating],
    sessions: NDArray[np.datetime64],
    codes: Sequence[str],
    market_state: MarketState,
) -> None:
    """Refuses scores of a choice of the stocks that had a bar: it would be made with what came after.

    Args:
        whose: who gave the scores, for the message.
        scores_TSH: of the sessions that `market_state` has; a bar needs one for every horizon.
    """
    unscored_TS = np.isfinite(market_state.close_TS) & np.isnan(scores_TSH).any(axis=-1)
    if unscored_TS.any():
        stocks = [codes[int(place)] for place in np.flatnonzero(unscored_TS.any(axis=0))]
        row = int(np.flatnonzero(unscored_TS.any(axis=1))[0])
        raise DataError(
            f"{int(unscored_TS.sum())} bars of {len(stocks)} stocks ({abbreviate(stocks)}) have no score of {whose},"
            f" the first on {sessions[row]}",
            hint="score every stock that has a bar; a filter for stocks that survive sells the future",
        )
