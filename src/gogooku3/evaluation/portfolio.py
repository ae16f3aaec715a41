"""Backtest of the long-short portfolio that scores are evaluated with: rebalancing, transaction costs, turnover.

At the close of session t the scores are known. `delay` sessions later, at the close of session u = t + delay, the
portfolio rebalances to the weights from those scores (`gogooku3.evaluation.weights`), as fractions of its capital at
that close, and earns the stocks' returns from close u to close u + 1. A delay of 0 would be look-ahead: it trades at
the same prices that the scores were computed from.

Until the next close, positions drift with their returns, as fractions of the new capital; the next rebalance trades the
difference between the drifted positions and the new weights. Idle cash and the proceeds of short sales earn nothing.

A stock that cannot be bought or sold at a close, as the wanted trade would need, keeps its position whatever its
scores, and the trade waits for a close at which it can be made. The other positions of its side, long or short, share
what the side has left: they are scaled down so that the side is not larger than the weights ask for, and never up. A
position that cannot be closed therefore changes neither gross exposure nor neutrality, unless it alone exceeds its
side; a position that cannot be opened is missing from both until it can be. With `sector_neutral`, sides are those of
the whole portfolio here.

A position without a price at the next close is held at its last price; the next close books the return since then. If
its stock is delisted, it is paid out in the first session after the end of the listing, at the last price times 1 +
`delisting_return`, without a trade. Until then it cannot be traded, as the portfolio does not know what follows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gogooku3.config.evaluation import Portfolio as Params
from gogooku3.errors import DataError
from gogooku3.evaluation.market_state import MarketState
from gogooku3.evaluation.prices import Bools, Prices
from gogooku3.metrics.cross_section import Floats
from gogooku3.metrics.returns import SESSIONS_PER_YEAR

BASIS_POINT = 1e-4


@dataclass(frozen=True)
class Portfolio:
    """Positions, trades and returns over the U sessions at whose close the portfolio rebalances.

    All are fractions of the capital at that close. `gross_U`, `cost_U`, `impact_U`, `borrow_U`, `net_U` and
    `turnover_U` are all NaN if no position was ever taken.
    """

    rows: slice
    """The U sessions among the T: from the one `delay` after the first to the last with a next close."""
    weights_US: Floats
    """Positions from this close to the next."""
    trades_US: Floats
    """Trades at this close; buys are positive."""
    gross_U: Floats
    """Gross return: Σ w · return to the next close; 0 for a stock without a price there."""
    cost_U: Floats
    """Transaction costs in proportion to the traded value."""
    impact_U: Floats
    """Market impact of the trades."""
    borrow_U: Floats
    """Borrow fee of the short positions, for one session."""
    net_U: Floats
    """Gross return minus transaction costs, market impact and borrow fee."""
    turnover_U: Floats
    """Σ |trade|, including the initial positions."""
    flat_U: Bools
    """No position, because all scores are equal or missing: the previous position is closed and nothing is earned."""
    unpriced_U: NDArray[np.int64]
    """Positions without a price at the next close, held at their last price."""
    waiting_U: NDArray[np.int64]
    """Trades that wait because their stock cannot be traded at this close."""
    delisted_U: NDArray[np.int64]
    """Positions that are paid out at the next close because their stock is delisted."""


def trade(wanted_TS: Floats, market_state: MarketState, sessions: NDArray[np.datetime64], params: Params) -> Portfolio:
    """Runs the backtest.

    Args:
        wanted_TS: target weights from the scores known at each session's close.
        market_state: prices, traded values and volatilities of the same sessions and stocks.
        sessions: dates of the T sessions.
        params: delay, costs and the turnover limit per close. If the wanted turnover exceeds the limit, all trades
            are scaled down by one factor, and the rest is left to later closes.

    Raises:
        DataError: the portfolio loses all of its capital, or more, in a session; no stock has the traded value and the
            volatility that the market impact needs; or it is unknown which stocks can be sold short.
    """
    prices = market_state.prices
    priced_TS = np.isfinite(prices.next_return_TS)
    stop = int(np.flatnonzero(priced_TS.any(axis=1)).max(initial=-1)) + 1
    rows = slice(min(params.delay, stop), stop)
    wanted_US = wanted_TS[: rows.stop - rows.start]
    buyable_US, sellable_US = prices.buyable_TS[rows], prices.sellable_TS[rows]
    lowest_US = np.where(shortable(prices, params)[rows], -np.inf, 0.0)
    leaving_US = prices.delisting_in_TS[rows] == 1
    returns_US = position_returns(prices, params.delisting_return)[rows]
    weights_US, trades_US = np.empty_like(wanted_US), np.empty_like(wanted_US)
    gross_U, cost_U, impact_U, borrow_U = np.empty((4, len(wanted_US)))
    impact_US = _impact(market_state, params)[rows]
    waiting_U = np.empty(len(wanted_US), np.int64)
    held_S = np.zeros(wanted_US.shape[1])
    for u, (wanted_S, returns_S) in enumerate(zip(wanted_US, returns_US, strict=True)):
        wanted_S = np.maximum(wanted_S, np.minimum(lowest_US[u], held_S))
        waiting_U[u] = np.count_nonzero(_blocked(held_S, wanted_S, buyable_US[u], sellable_US[u]))
        possible_S = _possible(held_S, wanted_S, buyable_US[u], sellable_US[u])
        trades_US[u], weights_US[u] = _rebalance(held_S, possible_S, params.max_turnover)
        gross_U[u] = (weights_US[u] * returns_S).sum()
        cost_U[u] = params.cost_bps * BASIS_POINT * np.abs(trades_US[u]).sum()
        impact_U[u] = (impact_US[u] * np.abs(trades_US[u]) * np.sqrt(np.abs(trades_US[u]))).sum()
        short = np.maximum(-weights_US[u], 0.0).sum()
        borrow_U[u] = params.borrow_bps * BASIS_POINT / SESSIONS_PER_YEAR * short
        capital = 1 + (gross_U[u] - cost_U[u] - impact_U[u] - borrow_U[u])
        if capital <= 0:
            raise DataError(
                f"the portfolio rebalanced at the close of {sessions[rows][u]} lost {1 - capital:.0%} of its capital"
                " until the next close",
                hint="look for a wrong price in that session or the next: `data/quotes/rules.json`",
            )
        held_S = np.where(leaving_US[u], 0.0, weights_US[u] * (1 + returns_S) / capital)
    flat_U = (weights_US == 0).all(axis=1)
    defined = np.nan if flat_U.all() else 1.0
    return Portfolio(
        rows=rows,
        weights_US=weights_US,
        trades_US=trades_US,
        gross_U=gross_U * defined,
        cost_U=cost_U * defined,
        impact_U=impact_U * defined,
        borrow_U=borrow_U * defined,
        net_U=(gross_U - cost_U - impact_U - borrow_U) * defined,
        turnover_U=np.abs(trades_US).sum(axis=1) * defined,
        flat_U=flat_U,
        unpriced_U=((weights_US != 0) & ~priced_TS[rows] & ~leaving_US).sum(axis=1),
        waiting_U=waiting_U,
        delisted_U=((weights_US != 0) & leaving_US).sum(axis=1),
    )


def position_returns(prices: Prices, delisting_return: float) -> Floats:
    """Return of a position to the next close, [T, S]: 0 without a price there, and with the delisting return if its
    stock is delisted there."""
    returns_TS = np.where(np.isfinite(prices.next_return_TS), prices.next_return_TS, 0.0)
    delisted_TS = (1 + returns_TS) * (1 + delisting_return) - 1
    return np.where(prices.delisting_in_TS == 1, delisted_TS, returns_TS)


def _impact(market_state: MarketState, params: Params) -> Floats:
    """Market impact of a trade of the whole capital, by session and stock; that of a share d is d^1.5 of it.

    The square-root law: a trade of value q costs impact · volatility · √(q / traded value) of q, as measured in many
    markets (Grinold and Kahn 2000, chapter 16; Almgren et al. 2005 find the power 0.6). A stock without a volatility or
    a traded value has the median of its session.
    """
    shape = market_state.traded_value_TS.shape
    impact, capital = params.impact, params.capital
    if capital is None or impact == 0:
        return np.zeros(shape)
    value_TS = np.where(market_state.traded_value_TS > 0, market_state.traded_value_TS, np.nan)
    volatility_TS = market_state.stock_volatility_TS
    for name, x_TS in (("traded value", value_TS), ("volatility", volatility_TS)):
        if not np.isfinite(x_TS).any():
            raise DataError(
                f"no stock has a {name} in the evaluated sessions, which `evaluation.portfolio.impact` {impact} needs",
                hint="set it to 0, or give the bars a volume or a traded value",
            )
    value_TS, volatility_TS = _with_median(value_TS), _with_median(volatility_TS)
    return impact * volatility_TS * np.sqrt(capital / value_TS)


def _with_median(x_TS: Floats) -> Floats:
    """Missing values replaced by the median of their session, or by that of all if the session has none."""
    medians = [np.median(known) if len(known) else np.nan for known in (x_S[np.isfinite(x_S)] for x_S in x_TS)]
    median_T1 = np.array(medians)[:, None]
    median_T1 = np.where(np.isfinite(median_T1), median_T1, np.median(median_T1[np.isfinite(median_T1)]))
    return np.where(np.isfinite(x_TS), x_TS, median_T1)


def shortable(prices: Prices, params: Params) -> Bools:
    """Whether a stock can be sold short in a session, [T, S], by `evaluation.portfolio.short`.

    Raises:
        DataError: it is `lendable`, and the quotes do not say which stocks can be borrowed.
    """
    if params.short == "all":
        return np.ones(prices.next_return_TS.shape, dtype=bool)
    if prices.shortable_TS is None:
        raise DataError(
            "the quotes do not say which stocks can be borrowed, and `evaluation.portfolio.short` is lendable",
            hint="set it to all, or use quotes of J-Quants",
        )
    return prices.shortable_TS


def _blocked(held_S: Floats, wanted_S: Floats, buyable_S: Bools, sellable_S: Bools) -> Bools:
    """Whether a stock cannot be traded from the held to the wanted position."""
    blocked_S: Bools = ((wanted_S > held_S) & ~buyable_S) | ((wanted_S < held_S) & ~sellable_S)
    return blocked_S


def _possible(held_S: Floats, wanted_S: Floats, buyable_S: Bools, sellable_S: Bools) -> Floats:
    """The positions that can be reached: those held where the trade is blocked, and the wanted ones elsewhere, scaled
    down where the held ones leave their side less than it asks for."""
    tradable_S = ~_blocked(held_S, wanted_S, buyable_S, sellable_S)
    positions_S = np.where(tradable_S, 0.0, held_S)
    kept_S = positions_S.copy()
    for side in (1.0, -1.0):
        asked_S = np.maximum(side * wanted_S, 0.0)
        left = max(asked_S.sum() - np.maximum(side * kept_S, 0.0).sum(), 0.0)
        open_S = np.where(tradable_S, asked_S, 0.0)
        total = open_S.sum()
        positions_S += side * open_S * (min(left / total, 1.0) if total > 0 else 0.0)
    # Scaled down, a purchase may have become a sale.
    return np.where(_blocked(held_S, positions_S, buyable_S, sellable_S), held_S, positions_S)


def _rebalance(held_S: Floats, wanted_S: Floats, limit: float | None) -> tuple[Floats, Floats]:
    """Trades from the held to the wanted positions within the turnover limit, and the positions after them."""
    trades_S = wanted_S - held_S
    turnover = float(np.abs(trades_S).sum())
    if limit is None or turnover <= limit:
        return trades_S, wanted_S
    trades_S = trades_S * (limit / turnover)
    return trades_S, held_S + trades_S


def break_even_bps(portfolio: Portfolio) -> float:
    """Break-even transaction cost, in basis points of the traded value, at which the net return is 0; NaN without
    trades."""
    turnover = portfolio.turnover_U.mean()
    earned_U = portfolio.gross_U - portfolio.impact_U - portfolio.borrow_U
    return float(earned_U.mean() / turnover / BASIS_POINT) if turnover > 0 else np.nan


def capacity(portfolio: Portfolio, traded_value_US: Floats, participation: float) -> float:
    """Capacity: capital at which the trades are, on average, a given participation rate of their stocks' volume.

    The average is weighted by traded capital: for trades d_i, as fractions of capital, in stocks of traded value v_i it
    is capital · Σ(d²/v) / Σ|d|. Trades in stocks whose traded value is unknown or 0 are left out.

    Args:
        portfolio: the backtest result.
        traded_value_US: average traded value per session, in the currency of the quotes.
        participation: the participation rate.

    Returns:
        Capital in that currency; NaN without trades.
    """
    known_US = traded_value_US > 0
    trades_US = np.where(known_US, np.abs(portfolio.trades_US), 0.0)
    value_US = np.where(known_US, traded_value_US, 1.0)
    impact = (trades_US * trades_US / value_US).sum()
    return float(participation * trades_US.sum() / impact) if impact > 0 else np.nan
