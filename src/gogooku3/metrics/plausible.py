"""Bounds of plausibility: beyond them a backtest is more likely wrong than good.

Each bound states its source. Where the literature has no number for daily stock portfolios, the bound is a rule of this
project and says so.
"""

from __future__ import annotations

import math

RANK_IC, RANK_IC_HIGH = 0.20, 0.10
"""IC or RankIC, of a model or of a single feature. Grinold and Kahn (2000) take 0.02 to 0.10 as the range of skilled
forecasters; above 0.10 is a warning, above twice that (a rule) an error."""

JUMP, JUMP_HIGH = 0.10, 0.05
"""RankIC with the return of one session, at lag 0 or 1, above which skill that is gone at lag 2 is an error, and a
warning. A rule: publication a session early moves all of the reaction to the news into one session."""

GONE = 0.25
"""Share of the largest RankIC at lags 0 and 1 below which skill is gone at lag 2. A rule: a signal that fades by half
each session still has a quarter."""

SHARPE, SHARPE_HIGH = 6.0, 3.0
"""Annual Sharpe ratio after costs, judged by the lower end of its interval. Gu, Kelly and Xiu (2020) report 2.45 before
costs for the best of their equal-weighted portfolios; Harvey and Liu (2015) show how much of a backtested ratio the
number of trials takes. Above 3 is a warning, above twice that (a rule) an error."""

HIT_RATE, HIT_RATE_HIGH = 0.60, 0.564
"""Share of stocks on the right side of the median. For normal scores and returns with correlation r it is
1/2 + arcsin(r)/π (Sheppard, 1899): 0.564 at the bound of the IC, 0.60 at 0.31."""

DRAWDOWN, DRAWDOWN_HIGH, DRAWDOWN_SESSIONS = 0.15, 0.25, 120
"""Maximum drawdown over annual volatility, over at least so many sessions. Magdon-Ismail and Atiya (2004) give its
expectation for a random walk with drift, over a year: 0.58 at a Sharpe ratio of 3, 0.40 at 6, 0.15 at 26."""

BREAK_EVEN_BPS, BUSY_TURNOVER = 100.0, 0.1
"""Break-even cost in basis points, judged where at least a tenth of the capital is traded a session. A rule by
arithmetic: together they are a gross return of 25 % a year for each 0.1 of turnover."""

COST_BPS = 1.0
"""Transaction cost in basis points of the traded value below which no stock trades. Frazzini, Israel and Moskowitz
(2018) measure about 10 for large stocks and large trades; half the smallest spread of liquid stocks is about 1."""

CAPACITY, CAPACITY_HIGH = 1e-5, 1e-4
"""Capacity as a share of the value that all stocks trade in a session. A rule: in Tokyo, at 4 to 5 trillion yen, 45
million yen and 450 million yen."""

ILLIQUID, ILLIQUID_HIGH, ILLIQUID_STOCKS = 0.6, 0.4, 50
"""Share of the positions in the least liquid stocks (a tenth of the stocks, at least ten), of at least so many stocks.
A rule: without regard to liquidity it is a tenth to a fifth. Novy-Marx and Velikov (2016): most anomalies in the least
liquid stocks do not survive costs."""

STOCK_YEARS = 461
"""Stock-years without a delisting that are an error: at 1 % a year their probability is e^−4.61, below 1 %. Tokyo lost
more in each recent year, the United States several times as many; Shumway (1997) shows what leaving them out does to
returns."""

MONTHS, MONTHS_HIGH = 22, 12
"""Months without a losing one. At a Sharpe ratio of 3, independent normal months have the probability Φ(3/√12)^n, which
is below 1 % from 22 months on; a year is a warning."""


def jumps(rank_ic_0: float, rank_ic_1: float, rank_ic_2: float) -> float:
    """The largest absolute RankIC at lags 0 and 1 if it is gone at lag 2, otherwise 0.

    A RankIC of the other sign at lag 2 is gone too. NaN counts as 0.
    """
    largest = max((0.0, *(each for each in (rank_ic_0, rank_ic_1) if not math.isnan(each))), key=abs)
    rest = 0.0 if math.isnan(rank_ic_2) else rank_ic_2
    return abs(largest) if rest * math.copysign(1.0, largest) < GONE * abs(largest) else 0.0
