"""Check: single features that know too much of the future, and a universe without a delisting."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gogooku3.metrics import plausible
from gogooku3.quality.feature_skill import SESSIONS
from gogooku3.quality.finding import Finding
from gogooku3.quality.statistics import Statistics

_DAYS_A_YEAR = 365.25

RULE = (
    f"No single feature has a RankIC beyond ±{plausible.RANK_IC:g} with a target or with the return of one session at"
    f" lag 0, 1 or 2, nor one beyond ±{plausible.JUMP:g} at lag 0 or 1 that is gone at lag 2, each by three standard"
    f" errors, on up to {SESSIONS} sessions of training; on a synthetic market the bound is what its oracle knows. In"
    f" {plausible.STOCK_YEARS} stock-years at least one stock leaves."
)


def check(statistics: Statistics) -> Iterator[Finding]:
    """Features beyond the bounds, and survivors only."""
    yield from _features(statistics)
    yield from _survivors(statistics)


def _features(statistics: Statistics) -> Iterator[Finding]:
    skill, oracle = statistics.skill, statistics.oracle
    bound_K = np.array([_bound(oracle, horizon) for _, horizon in skill.targets])
    above_FK = skill.certain_FK > bound_K
    for index, name in enumerate(skill.names):
        rank_ic_K = skill.rank_ic_FK[index]
        if above_FK[index].any():
            place = int(np.argmax(np.where(above_FK[index], skill.certain_FK[index] / bound_K, 0.0)))
            lag, horizon = skill.targets[place]
            rank_ic, bound = float(rank_ic_K[place]), float(bound_K[place])
            values = {"lag": lag, "horizon": horizon, "rank_ic": rank_ic, "bound": bound}
            where = f"at lag {lag}" if lag else f"with `target_{horizon}`"
            source = "" if oracle is None else ", all that its oracle knows"
            text = (
                f"a RankIC of {rank_ic:.3f} {where}; plausible: up to {bound:.3g}{source}. Does it know the future, as"
                " a table published a session later than its date?"
            )
            yield Finding("implausible_feature", "fault", text, (name,), values=values)
        elif oracle is None and skill.targets[:3] == [(0, 1), (1, 1), (2, 1)]:
            yield from _jump(name, rank_ic_K[:3], skill.certain_FK[index, :2])


def _bound(oracle: dict[int, float] | None, horizon: int) -> float:
    """What the oracle knows, but no less than what is plausible anywhere: of many features one exceeds 0 by chance."""
    if oracle is None:
        return plausible.RANK_IC
    return max(oracle.get(horizon, max(oracle.values())), plausible.RANK_IC_HIGH)


def _jump(name: str, rank_ic_K: np.ndarray, certain_K: np.ndarray) -> Iterator[Finding]:
    if plausible.jumps(*map(float, rank_ic_K)) and certain_K.max() > plausible.JUMP:
        values = {f"lag_{lag}": float(value) for lag, value in enumerate(rank_ic_K)}
        text = (
            "RankICs with the return of one session of {:.3f}, {:.3f} and {:.3f} at lags 0, 1 and 2: skill for one"
            " session that then is gone. Is it published a session later than its date?"
        ).format(*rank_ic_K)
        yield Finding("early_feature", "fault", text, (name,), values=values)


def _survivors(statistics: Statistics) -> Iterator[Finding]:
    counts = statistics.bar_counts
    days = float((counts.sessions_T[-1] - counts.sessions_T[0]) / np.timedelta64(1, "D"))
    stock_years = counts.stocks * days / _DAYS_A_YEAR
    if statistics.oracle is None and stock_years > plausible.STOCK_YEARS and counts.left == 0:
        text = (
            f"no stock leaves in {stock_years:.0f} stock-years; at 1 % a year some would: were delisted ones left out?"
        )
        yield Finding("survivors", "fault", text, values={"stock_years": stock_years})
