"""What the card says of results: the table, the baselines, and in words whether the model beats them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_SPLITS = ("validation", "test")

TITLES = {
    "ridge": "ridge regression",
    "lightgbm": "LightGBM",
    "reversal": "reversal",
    "momentum": "momentum",
    "equal_weight": "equal weights",
}
"""Baselines, as people call them."""
_RIVAL = "lightgbm"
"""The baseline that a network must beat to be worth its cost."""

ABSENT = "–"
"""In place of a metric that a table does not hold, as those of older versions, which measured less; one that was
measured and has no value is `undefined`."""

_PLAIN = (
    ("probability of skill", ("sharpe", "probabilistic"), "{:.4f}"),
    ("track record needed, sessions", ("sharpe", "min_track_record"), "{:.0f}"),
    ("trials survived", ("sharpe", "trials_survived"), "{:,}"),
    ("annual return", ("annual_return",), "{:.2%}"),
    ("annual volatility", ("annual_volatility",), "{:.2%}"),
    ("largest drawdown", ("max_drawdown",), "{:.2%}"),
    ("turnover per session", ("turnover",), "{:.3f}"),
    ("cost at which nothing is left, basis points", ("break_even_bps",), "{:.1f}"),
    ("capacity", ("capacity",), "{:,.0f}"),
    ("beta to the index", ("exposure", "market", "beta"), "{:.3f}"),
    ("exposure to size", ("exposure", "size"), "{:.3f}"),
)
"""Metrics without an interval: title, where they stand, how they are written."""

_TEMPLATE = """\
Out of sample. The portfolio is dollar-neutral{neutral}, {limits}. It trades {delay} session(s) after the scores are
known, and pays {cost_bps:g} basis points of the traded value and {borrow_bps:g} a year of the value sold short. In
brackets 95 % intervals by stationary bootstrap.{warning}

| metric | validation | test |
|---|---|---|
{rows}

*Probability of skill* is the probabilistic Sharpe ratio; *track record needed*, the sessions that this Sharpe ratio
needs to be significant at 95 %; *trials survived*, the most experiments, differing by luck alone, of which this could
be the best and its deflated Sharpe ratio still be significant (a million stands for more). How many were really made no
run can know: they are counted when a version is released, and its tag has their number and the deflated Sharpe ratio
for it. *Capacity* is the capital at which trades are on average {participation:.0%} of what is traded in their stocks.
Stocks *joined* after the split's first session or *left* before its last: where none leaves over years, the quotes hold
those that survived.

### Against baselines

The same features, sessions, stocks and portfolio, on the test split. *Model less it*: the difference over the same
sessions.

| | Sharpe | model less it | mean RankIC | model less it |
|---|---|---|---|---|
{baselines}

{verdict}
"""


def results_section(portfolio: dict[str, Any], results: dict[str, Any]) -> str:
    """The card's section on results, in Markdown.

    Args:
        portfolio: section `evaluation.portfolio` of the parameters.
        results: `metrics.json`: the metrics of both splits, and those of the baselines by split.
    """
    rivals, model = results["baselines"]["test"], results["test"]
    return _TEMPLATE.format(
        **{name: portfolio[name] for name in ("delay", "cost_bps", "borrow_bps", "participation")},
        neutral=" in every sector" if portfolio["sector_neutral"] else "",
        limits=_limits(portfolio),
        warning=_warning(portfolio),
        rows="\n".join(_rows(results)),
        baselines="\n".join(
            [f"| **model** | {interval(model['sharpe'])} | | {interval(model['mean_rank_ic'])} | |"]
            + [_baseline(name, rivals[name]) for name in TITLES]
        ),
        verdict=verdict(rivals[_RIVAL]["model_less_this"]),
    )


def verdict(difference: dict[str, Any]) -> str:
    """In words, whether the model beats LightGBM: only where the whole interval of the difference says so."""
    by = {"mean RankIC": difference["mean_rank_ic"], "Sharpe ratio": difference["sharpe"]}
    told = " and ".join(
        f"**{verb(gain)} LightGBM** by {measure} (difference {interval(gain)})" for measure, gain in by.items()
    )
    return f"Over the {difference['sessions']} sessions of the test split, the model {told}."


def interval(estimate: Mapping[str, Any]) -> str:
    """A value with its interval, as far as they are defined; `ABSENT` without a value, no interval without a bound."""
    if "value" not in estimate:
        return ABSENT
    value, low, high = (estimate.get(name) for name in ("value", "low", "high"))
    if value is None:
        return "undefined"
    if low is None or high is None:
        return f"{value:.3f}"
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def verb(gain: dict[str, Any]) -> str:
    """What a model does to one that it gains so much on: beats it only where the whole interval says so."""
    if gain["low"] is None or gain["high"] is None:
        return "cannot be compared with"
    if gain["low"] > 0:
        return "beats"
    return "is beaten by" if gain["high"] < 0 else "does not beat"


def _limits(portfolio: dict[str, Any]) -> str:
    limits = []
    if portfolio["max_weight"] is not None:
        limits.append(f"no position above {portfolio['max_weight']:.2%} of capital")
    if portfolio["max_turnover"] is not None:
        limits.append(f"no more than {portfolio['max_turnover']:.0%} of capital traded at one close")
    return " and ".join(limits) or "without limits on positions and trades"


def unrealistic_assumptions(portfolio: dict[str, Any]) -> list[str]:
    """What would make the results better than they could be had."""
    free = [name for name, key in (("trading", "cost_bps"), ("borrowed stock", "borrow_bps")) if portfolio[key] == 0]
    faults = [f"{' and '.join(free)} {'costs' if len(free) == 1 else 'cost'} nothing"] if free else []
    if portfolio["delay"] == 0:
        faults.append("trades are made at the very prices that the scores are made from")
    return faults


def _warning(portfolio: dict[str, Any]) -> str:
    faults = unrealistic_assumptions(portfolio)
    return f"\n\n**Nobody could have had these results: {'; '.join(faults)}.**" if faults else ""


def _rows(results: dict[str, Any]) -> list[str]:
    validation, test = (cells(results[split]) for split in _SPLITS)
    return [f"| {title} | {cell} | {test.get(title, 'undefined')} |" for title, cell in validation.items()]


def cells(metrics: Mapping[str, Any]) -> dict[str, str]:
    """What stands in a split's column, by the title of the row; `ABSENT` where the table does not hold the metric.

    The rows of a horizon are there where the table has the horizon.
    """
    told = {
        "Sharpe": _told(metrics, ("sharpe",), interval),
        "RankIC, mean over horizons": _told(metrics, ("mean_rank_ic",), interval),
    }
    for name, title in (("rank_ic", "RankIC"), ("ic", "IC")):
        told |= {f"{title}, {h} session(s)": interval(estimate) for h, estimate in metrics.get(name, {}).items()}
    told |= {title: _told(metrics, path, form.format) for title, path, form in _PLAIN}
    return told | {"stocks: all, joined, left": _told(metrics, ("universe",), _universe)}


def _told(metrics: Any, path: tuple[str, ...], tell: Callable[[Any], str]) -> str:
    """What stands at a path of a table, in words."""
    for name in path:
        if name not in metrics:
            return ABSENT
        metrics = metrics[name]
    return "undefined" if metrics is None else tell(metrics)


def _universe(counts: Mapping[str, int]) -> str:
    return ", ".join(_told(counts, (name,), str) for name in ("stocks", "joined", "left"))


def _baseline(name: str, table: dict[str, Any]) -> str:
    less = table["model_less_this"]
    rank_ic = [table["mean_rank_ic"], less["mean_rank_ic"]] if "mean_rank_ic" in table else []
    cells = [
        interval(table["sharpe"]),
        interval(less["sharpe"]),
        *(map(interval, rank_ic) if rank_ic else (ABSENT, ABSENT)),
    ]
    return f"| {TITLES[name]} | {' | '.join(cells)} |"
