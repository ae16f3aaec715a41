"""Too good to be true: findings about an evaluation whose numbers are more likely wrong than good.

A real market has the bounds of `gogooku3.metrics.plausible`. A synthetic market has planted alpha signals of any
strength; what can be known of it is its oracle, which bounds the skill instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gogooku3.config.evaluation import Measures
from gogooku3.evaluation.evaluate import Evaluation, Outcome
from gogooku3.evaluation.market_state import MarketState
from gogooku3.metrics import plausible
from gogooku3.metrics.bootstrap import interval
from gogooku3.metrics.cross_section import Floats, average_ranks
from gogooku3.metrics.estimate import mean
from gogooku3.metrics.ranking import rank_ic
from gogooku3.metrics.score_statistics import decayed_rank_ic

Level = Literal["error", "warning"]

_SHARE_OF_SESSIONS = 0.05
"""Share of sessions with equal scores that is an error."""
_DAYS_A_YEAR = 365.25


@dataclass(frozen=True)
class Finding:
    """A number beyond a bound of plausibility."""

    name: str
    level: Level
    """`error`: `promote` refuses the model; `warning`: it may be right, and is shown."""
    value: float
    bound: float
    text: str
    look_at: str


def plausibility(
    evaluation: Evaluation,
    scores_TSH: NDArray[np.floating],
    outcome: Outcome,
    params: Measures,
    oracle_TSH: NDArray[np.floating] | None,
) -> list[dict[str, Any]]:
    """The findings about a model's evaluation, for the key `plausibility` of its metrics; empty if there are none.

    Args:
        evaluation: the model's evaluation on these scores and this outcome.
        scores_TSH: its scores, as given to `evaluate`.
        oracle_TSH: expected returns from the planted signals of a synthetic market; None for a real market.
    """
    table, traded_TS = evaluation.metrics, scores_TSH[..., outcome.horizons.index(params.portfolio.horizon)]
    findings = [*_costs(params), *_constant(traded_TS), *_survivors(outcome), *_liquidity(evaluation, outcome)]
    if oracle_TSH is not None:
        findings += _oracle(scores_TSH, oracle_TSH, outcome, params)
    else:
        findings += [*_returns(table), *_months(evaluation.sessions), *_skill(table), *_decay(traded_TS, outcome)]
    return [asdict(finding) for finding in findings]


def _graded(
    name: str, value: float | None, error: float, warning: float, text: str, look_at: str, *, below: bool = False
) -> Iterator[Finding]:
    """A finding if the value exceeds a bound (with `below`: falls short of it); `{bound}` in the text is the bound."""
    if value is None or math.isnan(value):
        return
    sign = -1.0 if below else 1.0
    grades: tuple[tuple[Level, float], ...] = (("error", error), ("warning", warning))
    for level, bound in grades:
        if sign * value > sign * bound:
            yield Finding(name, level, value, bound, text.format(bound=f"{bound:g}"), look_at)
            return


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _costs(params: Measures) -> Iterator[Finding]:
    cost, delay = params.portfolio.cost_bps, params.portfolio.delay
    if cost < plausible.COST_BPS:
        paid = "nothing" if cost == 0 else f"{cost:g} basis points"
        text = f"trading costs {paid}; no stock trades below {plausible.COST_BPS:g} basis point"
        yield Finding("costs", "error", cost, plausible.COST_BPS, text, "`evaluation.portfolio.cost_bps`")
    if delay < 1:
        text = "trades use the closes from which the scores are computed"
        yield Finding("delay", "error", delay, 1, text, "`evaluation.portfolio.delay`")


def _constant(scores_TS: NDArray[np.floating]) -> Iterator[Finding]:
    """Scores that are equal for all stocks of a session, or equal to those of the session before."""
    scored_TS = np.isfinite(scores_TS)
    lowest_T = np.where(scored_TS, scores_TS, np.inf).min(axis=1, initial=np.inf)
    highest_T = np.where(scored_TS, scores_TS, -np.inf).max(axis=1, initial=-np.inf)
    held_T = scored_TS.any(axis=1)
    equal = float((lowest_T == highest_T)[held_T].mean()) if held_T.any() else math.nan
    text = f"in {_percent(equal)} of the sessions all stocks have the same score"
    look_at = "the model's outputs: has training collapsed?"
    yield from _graded("constant_scores", equal, _SHARE_OF_SESSIONS, _SHARE_OF_SESSIONS, text, look_at)
    both_TS = scored_TS[1:] & scored_TS[:-1]
    same_T = ((scores_TS[1:] == scores_TS[:-1]) | ~both_TS).all(axis=1)[both_TS.any(axis=1)]
    frozen = float(same_T.mean()) if len(same_T) else math.nan
    text = f"in {_percent(frozen)} of the sessions every stock has the score of the session before"
    yield from _graded("frozen_scores", frozen, 0.5, _SHARE_OF_SESSIONS, text, "features that do not change")


def _survivors(outcome: Outcome) -> Iterator[Finding]:
    """No stock leaves, although so many stocks over so long a time should have lost some."""
    present_S = np.isfinite(outcome.market_state.close_TS).any(axis=0)
    left = int((np.isfinite(outcome.market_state.close_TS[:, present_S])[::-1].argmax(axis=0) > 0).sum())
    days = (outcome.sessions[-1] - outcome.sessions[0]) / np.timedelta64(1, "D")
    stock_years = int(present_S.sum()) * float(days) / _DAYS_A_YEAR
    if not left:
        text = f"no stock leaves in {stock_years:.0f} stock-years; at 1 % a year some would"
        look_at = "`quotes`: were delisted stocks left out? (survivorship bias)"
        yield from _graded("survivors", stock_years, plausible.STOCK_YEARS, plausible.STOCK_YEARS, text, look_at)


def _liquidity(evaluation: Evaluation, outcome: Outcome) -> Iterator[Finding]:
    portfolio = evaluation.portfolio
    market_state = outcome.market_state.rows(portfolio.rows.start, portfolio.rows.stop)
    look_at = "the traded value of the largest positions (`TurnoverValue`)"
    share = _share_in_illiquid(portfolio.weights_US, market_state)
    text = (
        f"{_percent(share)} of the positions are in the least liquid stocks, a tenth of all; plausible: up to {{bound}}"
    )
    yield from _graded("illiquid_stocks", share, plausible.ILLIQUID, plausible.ILLIQUID_HIGH, text, look_at)
    traded = float(np.nan_to_num(market_state.traded_value_TS).sum(axis=1).mean())
    capacity = evaluation.metrics["capacity"]
    relative = None if capacity is None or traded <= 0 else capacity / traded
    text = f"the capacity of {capacity or 0:,.0f} is less than {{bound}} of what all stocks trade in a session"
    yield from _graded("capacity", relative, plausible.CAPACITY, plausible.CAPACITY_HIGH, text, look_at, below=True)


def _share_in_illiquid(weights_US: Floats, market_state_U: MarketState) -> float:
    """Mean over sessions of Σ|w| in the least liquid stocks over Σ|w|; NaN with too few stocks to tell.

    The least liquid: by rank of the average traded value, a tenth of the stocks with a bar, at least ten.
    """
    traded_US = np.where(np.isfinite(market_state_U.close_TS), market_state_U.traded_value_TS, np.nan)
    count_U1 = np.isfinite(traded_US).sum(axis=1, keepdims=True)
    least_US = average_ranks(traded_US) <= np.maximum(count_U1 // 10, 10)
    gross_US = np.abs(weights_US)
    gross_U = gross_US.sum(axis=1)
    judged_U = (gross_U > 0) & (count_U1[:, 0] >= plausible.ILLIQUID_STOCKS)
    share_U = np.where(least_US, gross_US, 0.0).sum(axis=1) / np.where(gross_U > 0, gross_U, 1.0)
    return mean(np.where(judged_U, share_U, np.nan))


def _oracle(
    scores_TSH: NDArray[np.floating], oracle_TSH: NDArray[np.floating], outcome: Outcome, params: Measures
) -> Iterator[Finding]:
    """More skill than the planted signals allow, beyond the interval of the paired difference."""
    scored_TSH = np.where(np.isfinite(scores_TSH), oracle_TSH, np.nan)
    for index, horizon in enumerate(outcome.horizons):
        reached_T = rank_ic(scores_TSH[..., index], outcome.target(horizon))
        ceiling_T = rank_ic(scored_TSH[..., index], outcome.target(horizon))
        low, _ = interval(reached_T - ceiling_T, lambda resampled: resampled.mean(axis=-1), params.bootstrap, horizon)
        if low > 0 and mean(ceiling_T) > 0:
            fraction = mean(reached_T) / mean(ceiling_T)
            text = (
                f"RankIC {mean(reached_T):.3f} at horizon {horizon} is {_percent(fraction)} of what can be known of"
                f" this synthetic market ({mean(ceiling_T):.3f})"
            )
            yield Finding("oracle", "error", fraction, 1.0, text, "features that know the future (look-ahead)")


def _returns(table: Mapping[str, Any]) -> Iterator[Finding]:
    look_at = "look-ahead in the features, costs, and prices that cannot be traded"
    sharpe = _certain(table["sharpe"])
    text = f"the Sharpe ratio is above {sharpe or 0:.1f} with 97.5 % confidence; plausible: up to {{bound}}"
    yield from _graded("sharpe", sharpe, plausible.SHARPE, plausible.SHARPE_HIGH, text, look_at)
    drawdown, volatility = table["max_drawdown"], table["annual_volatility"]
    if table["sessions"] >= plausible.DRAWDOWN_SESSIONS and volatility and drawdown is not None:
        shallow = -drawdown / volatility
        text = (
            f"the maximum drawdown of {_percent(drawdown)} is {shallow:.2f} of the annual volatility; plausible: from"
            " {bound}"
        )
        yield from _graded("drawdown", shallow, plausible.DRAWDOWN, plausible.DRAWDOWN_HIGH, text, look_at, below=True)
    break_even, turnover = table["break_even_bps"], table["turnover"]
    if turnover is not None and turnover >= plausible.BUSY_TURNOVER:
        text = (
            f"the break-even cost is {break_even or 0:.0f} basis points at a turnover of {turnover:.2f} a session;"
            " plausible: up to {bound}"
        )
        bound = plausible.BREAK_EVEN_BPS
        yield from _graded("break_even", break_even, bound, bound, text, look_at)


def _months(sessions: pl.DataFrame) -> Iterator[Finding]:
    """No month with a loss: sums of the returns after costs by calendar month."""
    held = sessions.drop_nans("net").group_by(pl.col("Date").dt.truncate("1mo")).agg(pl.col("net").sum())
    if held.height and (held["net"] > 0).all():
        text = f"none of {held.height} months has a loss; plausible: up to {{bound}}"
        bounds = plausible.MONTHS - 1, plausible.MONTHS_HIGH - 1
        yield from _graded("no_losing_month", held.height, *bounds, text, "look-ahead, and prices that are smoothed")


def _skill(table: Mapping[str, Any]) -> Iterator[Finding]:
    look_at = "look-ahead: features or targets a session early"
    for key, title in (("rank_ic", "RankIC"), ("ic", "IC")):
        for horizon, cell in table[key].items():
            value = _certain(cell)
            text = (
                f"the {title} at horizon {horizon} is above {value or 0:.3f} with 97.5 % confidence; plausible: up to"
                " {bound}"
            )
            yield from _graded(key, value, plausible.RANK_IC, plausible.RANK_IC_HIGH, text, look_at)
    hits = table["hit_rate"]
    text = (
        f"{_percent(hits or 0)} of the stocks are on the side of the median that the score says; plausible: a share of"
        " up to {bound}"
    )
    yield from _graded("hit_rate", hits, plausible.HIT_RATE, plausible.HIT_RATE_HIGH, text, look_at)


def _certain(cell: Mapping[str, Any]) -> float | None:
    """The lower bound of an estimate; None if it has no interval: nothing is certain then."""
    low: float | None = cell["low"]
    return low


def _decay(scores_TS: NDArray[np.floating], outcome: Outcome) -> Iterator[Finding]:
    """Skill in the return of one session at lag 0 or 1 that is gone at lag 2."""
    by_lag = [mean(decayed_rank_ic(scores_TS, outcome.target(1), lag)) for lag in range(3)]
    text = (
        f"the RankIC with the return of one session is {by_lag[0]:.3f}, {by_lag[1]:.3f} and {by_lag[2]:.3f} at lags 0,"
        " 1 and 2: skill for one session that then is gone"
    )
    look_at = "inputs that are published a session later than their date"
    yield from _graded("decay", plausible.jumps(*by_lag), plausible.JUMP, plausible.JUMP_HIGH, text, look_at)
