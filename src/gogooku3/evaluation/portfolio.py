"""The one portfolio by which scores are judged, and its books.

At the close of session t the scores are known. `delay` sessions later, at the close of session u = t + delay, the
portfolio trades to the weights that they ask for (`gogooku3.evaluation.weights`), as shares of its capital at that
close, and earns target_1 of session u, the return from close u to close u + 1. With a delay of 0 it would trade at
the very prices that the scores were made from.

Until the next close its positions drift with their returns, as shares of the capital that is left: what is traded
then is what the drifted positions lack. Capital that is not at work, and what short sales bring, earns nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gogooku3.config.evaluation import Portfolio as Params
from gogooku3.errors import DataError
from gogooku3.metrics.cross_section import Floats
from gogooku3.metrics.returns import SESSIONS_PER_YEAR

BASIS_POINT = 1e-4


@dataclass(frozen=True)
class Portfolio:
    """What the portfolio held, traded and earned, over the U sessions at whose close it was set.

    All are fractions of the capital at that close. `gross_U`, `cost_U`, `borrow_U`, `net_U` and `turnover_U` are NaN
    throughout when no position was ever taken.
    """

    rows: slice
    """Where the U sessions lie among the T: from the one `delay` after the first to the last with a
    next return."""
    weights_US: Floats
    """Positions from this close to the next."""
    trades_US: Floats
    """What was bought (above 0) and sold at this close."""
    gross_U: Floats
    """Σ w · target_1."""
    cost_U: Floats
    """Cost of the trades."""
    borrow_U: Floats
    """Fee for the stock sold short, for one session."""
    net_U: Floats
    """Gross less cost and fee."""
    turnover_U: Floats
    """Σ |trade|, the first position included."""
    flat_U: NDArray[np.bool_]
    """No position, as no two stocks had different scores: the last one is sold, nothing is earned."""
    unpriced_U: NDArray[np.int64]
    """Positions in stocks without a next return. They earn 0: to leave them out and rescale the others would
    be to know at the close which stocks trade in the next session."""


def trade(
    wanted_TS: Floats, next_returns_TS: NDArray[np.floating], sessions: NDArray[np.datetime64], params: Params
) -> Portfolio:
    """Runs the portfolio.

    Args:
        wanted_TS: weights that the scores known at each session's close ask for.
        next_returns_TS: simple returns from that close to the next, NaN where unknown.
        sessions: dates of the T sessions.
        params: delay, costs and the limit of what is traded at one close. Where more is wanted, every trade is
            made in the same part, and the rest waits for the next close.

    Raises:
        DataError: a session's loss is all of the capital or more.
    """
    priced_TS = np.isfinite(next_returns_TS)
    stop = int(np.flatnonzero(priced_TS.any(axis=1)).max(initial=-1)) + 1
    rows = slice(min(params.delay, stop), stop)
    wanted_US = wanted_TS[: rows.stop - rows.start]
    returns_US = np.where(priced_TS[rows], next_returns_TS[rows], 0.0).astype(np.float64)
    weights_US, trades_US = np.empty_like(wanted_US), np.empty_like(wanted_US)
    gross_U, cost_U, borrow_U = np.empty((3, len(wanted_US)))
    held_S = np.zeros(wanted_US.shape[1])
    for u, (wanted_S, returns_S) in enumerate(zip(wanted_US, returns_US, strict=True)):
        trades_US[u], weights_US[u] = _traded(held_S, wanted_S, params.max_turnover)
        gross_U[u] = (weights_US[u] * returns_S).sum()
        cost_U[u] = params.cost_bps * BASIS_POINT * np.abs(trades_US[u]).sum()
        short = np.maximum(-weights_US[u], 0.0).sum()
        borrow_U[u] = params.borrow_bps * BASIS_POINT / SESSIONS_PER_YEAR * short
        left = 1 + (gross_U[u] - cost_U[u] - borrow_U[u])
        if left <= 0:
            raise DataError(
                f"the portfolio that was set at the close of {sessions[rows][u]} lost {1 - left:.0%} of its capital"
                " until the next",
                hint="look for a wrong price in that session or the next: `data/quotes/rules.json`",
            )
        held_S = weights_US[u] * (1 + returns_S) / left
    flat_U = (weights_US == 0).all(axis=1)
    defined = np.nan if flat_U.all() else 1.0
    return Portfolio(
        rows=rows,
        weights_US=weights_US,
        trades_US=trades_US,
        gross_U=gross_U * defined,
        cost_U=cost_U * defined,
        borrow_U=borrow_U * defined,
        net_U=(gross_U - cost_U - borrow_U) * defined,
        turnover_U=np.abs(trades_US).sum(axis=1) * defined,
        flat_U=flat_U,
        unpriced_U=((weights_US != 0) & ~priced_TS[rows]).sum(axis=1),
    )


def _traded(held_S: Floats, wanted_S: Floats, limit: float | None) -> tuple[Floats, Floats]:
    """The trades from what is held towards what is wanted, and what is held after them."""
    trades_S = wanted_S - held_S
    turnover = float(np.abs(trades_S).sum())
    if limit is None or turnover <= limit:
        return trades_S, wanted_S
    trades_S = trades_S * (limit / turnover)
    return trades_S, held_S + trades_S


def break_even_bps(held: Portfolio) -> float:
    """Cost in basis points of the traded value at which the portfolio would have earned nothing; NaN without trades."""
    turnover = held.turnover_U.mean()
    return float((held.gross_U - held.borrow_U).mean() / turnover / BASIS_POINT) if turnover > 0 else np.nan


def capacity(held: Portfolio, traded_value_US: Floats, participation: float) -> float:
    """Capital at which the trades are, on average, a given share of what is traded in their stocks.

    The average is over the capital that is traded: of trades d_i, as shares of capital, in stocks of traded value
    v_i it is capital · Σ(d²/v) / Σ|d|. Trades in stocks whose traded value is unknown or 0 are left out.

    Args:
        held: the portfolio.
        traded_value_US: value traded in a usual session, in the currency of the quotes.
        participation: the share.

    Returns:
        Capital in that currency; NaN without trades.
    """
    known_US = traded_value_US > 0
    trades_US = np.where(known_US, np.abs(held.trades_US), 0.0)
    value_US = np.where(known_US, traded_value_US, 1.0)
    impact = (trades_US * trades_US / value_US).sum()
    return float(participation * trades_US.sum() / impact) if impact > 0 else np.nan
