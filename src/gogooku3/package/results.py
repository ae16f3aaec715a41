"""Results section of the model card: metrics table, baseline comparison, and whether the model beats the baselines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gogooku3.objective import horizon_of, metric_title
from gogooku3.package.duel import duel
from gogooku3.package.seeds import ONE_SEED, members, over_seeds

_SPLITS = ("validation", "test")

TITLES = {
    "ridge": "ridge regression",
    "lightgbm": "LightGBM",
    "mlp": "perceptron",
    "ridge_ema": "smoothed ridge regression",
    "reversal": "reversal",
    "momentum": "momentum",
    "equal_weight": "equal weights",
}
"""Display names of the baselines."""
RIVALS = ("lightgbm", "ridge")
"""Learning baselines that a network must beat to be worth its cost."""

ABSENT = "–"
"""Shown for a metric that a table does not have, such as that of an older version; a metric without a value is
`undefined`."""

_PLAIN = (
    ("probability of skill", ("sharpe", "probabilistic"), "{:.4f}"),
    ("track record needed, sessions", ("sharpe", "min_track_record"), "{:.0f}"),
    ("trials survived", ("sharpe", "trials_survived"), "{:,}"),
    ("annual return", ("annual_return",), "{:.2%}"),
    ("annual volatility", ("annual_volatility",), "{:.2%}"),
    ("maximum drawdown", ("max_drawdown",), "{:.2%}"),
    ("turnover per session", ("turnover",), "{:.3f}"),
    ("break-even cost, basis points", ("break_even_bps",), "{:.1f}"),
    ("capacity", ("capacity",), "{:,.0f}"),
    ("beta to the index", ("exposure", "market", "beta"), "{:.3f}"),
    ("exposure to size", ("exposure", "size"), "{:.3f}"),
)
"""Metrics without an interval: title, path in the metrics, format."""

_TEMPLATE = """\
Out of sample. The long-short portfolio is dollar-neutral{neutral}, {limits}. It trades {delay} session(s) after the
scores are known, and pays transaction costs of {cost_bps:g} basis points of the traded value and a borrow fee of
{borrow_bps:g} basis points a year of the short positions. In brackets 95 % intervals.{warning}

| metric | validation | test |
|---|---|---|
{rows}

*Probability of skill* is the probabilistic Sharpe ratio; *track record needed*, the number of sessions that this Sharpe
ratio needs to be significant at 95 %; *trials survived*, the largest number of experiments, differing by chance alone,
of which this could be the best and its deflated Sharpe ratio still be significant (a million means a million or more).
A run does not know the true number of trials: they are counted when a version is released, and its tag has their number
and the deflated Sharpe ratio for it. *Capacity* is the capital at which trades are on average {participation:.0%} of
the traded value of their stocks. Stocks *joined* after the split's first session or *left* before its last: if none
leaves over years, the quotes have survivorship bias.

### Plausibility

{plausibility}

### Baseline comparison

The same features, sessions, stocks and portfolio, on the test split. *Model minus baseline*: paired difference over the
same sessions.

| | Sharpe | model minus baseline | mean RankIC | model minus baseline |
|---|---|---|---|---|
{baselines}

{verdict}

### Seeds

{seeds}
"""

_SEEDS = """\
The model is an ensemble of {count} members, which differ by the seed of their training; its score is the mean of
theirs, each divided by its spread on validation. Each member alone, the mean ± standard deviation of the members, and
the ensemble:

| | Sharpe, validation | Sharpe, test | mean RankIC, validation | mean RankIC, test |
|---|---|---|---|---|
{rows}"""


def results_section(portfolio: dict[str, Any], results: dict[str, Any]) -> str:
    """The card's results section in Markdown.

    Args:
        portfolio: section `evaluation.portfolio` of the parameters.
        results: `metrics.json`: metrics of both splits, and of the baselines by split.
    """
    rivals, model = results["baselines"]["test"], results["test"]
    return _TEMPLATE.format(
        **{name: portfolio[name] for name in ("delay", "cost_bps", "borrow_bps", "participation")},
        neutral=" in every sector" if portfolio["sector_neutral"] else "",
        limits=_limits(portfolio),
        warning=_warning(portfolio, model),
        plausibility=_plausibility(results),
        rows="\n".join(_rows(results)),
        baselines="\n".join(
            [f"| **model** | {interval(model['sharpe'])} | | {interval(model['mean_rank_ic'])} | |"]
            + [_baseline(name, rivals[name]) for name in TITLES if name in rivals]
        ),
        verdict=verdict(rivals),
        seeds=_seeds(results),
    )


def seed_rows(results: Mapping[str, Any]) -> dict[str, list[str]]:
    """Sharpe ratio on validation and test, then mean RankIC on both, by row title: one row per member of an ensemble,
    one over the members, and one of the ensemble; no rows for a single network."""
    columns = [(results[split], name) for name in ("sharpe", "mean_rank_ic") for split in _SPLITS]
    if "members" not in results["test"]:
        return {}
    estimates = [members(metrics, name) for metrics, name in columns]
    seeds = [member["seed"] for member in results["test"]["members"]]
    rows = {f"seed {seed}": [interval(column[row]) for column in estimates] for row, seed in enumerate(seeds)}
    rows["mean ± standard deviation"] = [over_seeds([cell["value"] for cell in column]) for column in estimates]
    return rows | {"ensemble": [interval(metrics[name]) for metrics, name in columns]}


def _seeds(results: Mapping[str, Any]) -> str:
    rows = seed_rows(results)
    if not rows:
        return ONE_SEED
    lines = [f"| {title} | {' | '.join(row)} |" for title, row in rows.items()]
    return _SEEDS.format(count=len(results["test"]["members"]), rows="\n".join(lines))


def verdict(baselines: Mapping[str, Any]) -> str:
    """Whether the model beats each learning baseline: by horizon, over all, and by Sharpe ratio; losses are told too.

    Args:
        baselines: by name, on the test split.
    """
    duels = {name: duel(baselines[name]) for name in RIVALS}
    lines = [
        f"- Beats {TITLES[name]}: **{found.outcome}**. {found.text(TITLES[name])}" for name, found in duels.items()
    ]
    sessions = baselines[RIVALS[0]]["model_less_this"]["sessions"]
    return f"Over the {sessions} sessions of the test split:\n\n" + "\n".join(lines)


def interval(estimate: Mapping[str, Any]) -> str:
    """A value with its interval, as text; `ABSENT` without a value, no interval if a bound is undefined."""
    if "value" not in estimate:
        return ABSENT
    value, low, high = (estimate.get(name) for name in ("value", "low", "high"))
    if value is None:
        return "undefined"
    if low is None or high is None:
        return f"{value:.3f}"
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def objective_of(metrics: Mapping[str, Any], metric: str) -> dict[str, Any]:
    """The cell of a tier's metric (`tier.metric`) in the metrics of a split."""
    horizon = horizon_of(metric)
    cell: dict[str, Any] = metrics[metric] if horizon is None else metrics["rank_ic"][str(horizon)]
    return cell


def objective_text(tier: Mapping[str, Any], validation: Mapping[str, Any]) -> str:
    """The objective of a tier and whether its target is reached, in sentences.

    Args:
        tier: section `tier` of the parameters.
        validation: metrics of the validation split.
    """
    cell, target = objective_of(validation, tier["metric"]), tier["target"]
    reached = "" if target is None else f"; target {target:g}: {target_verdict(cell, target)}"
    name = metric_title(tier["metric"])
    sentences = [f"{name[0].upper()}{name[1:]} on validation {interval(cell)}{reached}."]
    for what in ("expectation", "hypothesis"):
        if tier[what] is not None:
            sentences.append(f"{what.capitalize()}: {tier[what]}")
    return " ".join(sentences)


def target_verdict(estimate: Mapping[str, Any], target: float) -> str:
    """Whether a metric reaches a target: only if the whole interval does; `within noise` if it holds the target."""
    value, low, high = (estimate.get(name) for name in ("value", "low", "high"))
    if value is None:
        return "undefined"
    if low is None or high is None:
        return f"{'reached' if value >= target else 'not reached'}, without an interval"
    if low >= target:
        return "reached"
    return "not reached" if high < target else "within noise"


def verb(gain: dict[str, Any]) -> str:
    """Verb for a difference between two models: "beats" only if the whole interval is above 0."""
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


def is_synthetic(params: Mapping[str, Any]) -> bool:
    """Whether the market is synthetic (section `quotes` of the parameters): then no result is about real stocks."""
    return bool(params["quotes"]["source"] == "synthetic")


def unrealistic_assumptions(portfolio: dict[str, Any]) -> list[str]:
    """Assumptions that make the results untradable, as texts: zero costs, look-ahead by zero delay."""
    free = [name for name, key in (("trading", "cost_bps"), ("borrowing stock", "borrow_bps")) if portfolio[key] == 0]
    problems = [f"{' and '.join(free)} {'costs' if len(free) == 1 else 'cost'} nothing"] if free else []
    if portfolio["delay"] == 0:
        problems.append("trades use the same prices as the scores (look-ahead)")
    return problems


def unprofitable(portfolio: Mapping[str, Any], metrics: Mapping[str, Any]) -> str | None:
    """That trading costs more than the trades earn, as text; None if it does not, or if nothing is traded."""
    break_even, cost = metrics.get("break_even_bps"), portfolio["cost_bps"]
    if break_even is None or break_even >= cost:
        return None
    return f"trades break even at {break_even:.1f} basis points and cost {cost:g}"


def findings_of(metrics: Mapping[str, Any], level: str) -> list[str]:
    """The findings of implausible results of a level, as sentences; none if that was not checked."""
    return [finding["text"] for finding in metrics.get("plausibility", []) if finding["level"] == level]


def _plausibility(results: Mapping[str, Any]) -> str:
    checked = [split for split in _SPLITS if "plausibility" in results[split]]
    if not checked:
        return "Not checked: the version that evaluated this model had no such check."
    titles = {"error": "**Too good to be true**", "warning": "Hardly plausible"}
    lines = [
        f"- {title}, on {split}: {text}"
        for split in checked
        for level, title in titles.items()
        for text in findings_of(results[split], level)
    ]
    return "\n".join(lines) or f"No result on {' and '.join(checked)} is outside the bounds of plausibility."


def _warning(portfolio: dict[str, Any], metrics: Mapping[str, Any]) -> str:
    problems = [*unrealistic_assumptions(portfolio), *filter(None, [unprofitable(portfolio, metrics)])]
    return f"\n\n**These results are not tradable: {'; '.join(problems)}.**" if problems else ""


def _rows(results: dict[str, Any]) -> list[str]:
    validation, test = (cells(results[split]) for split in _SPLITS)
    return [f"| {title} | {cell} | {test.get(title, 'undefined')} |" for title, cell in validation.items()]


def cells(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Formatted metrics of a split by row title; `ABSENT` if the table does not have the metric.

    A horizon has rows only if the table has the horizon.
    """
    rows = {
        "Sharpe": _format(metrics, ("sharpe",), interval),
        "RankIC, mean over horizons": _format(metrics, ("mean_rank_ic",), interval),
    }
    for name, title in (("rank_ic", "RankIC"), ("ic", "IC")):
        rows |= {f"{title}, {h} session(s)": interval(estimate) for h, estimate in metrics.get(name, {}).items()}
    rows |= {title: _format(metrics, path, form.format) for title, path, form in _PLAIN}
    return rows | {"stocks: all, joined, left": _format(metrics, ("universe",), _universe)}


def _format(metrics: Any, path: tuple[str, ...], to_text: Callable[[Any], str]) -> str:
    """The metric at a path, as text."""
    for name in path:
        if name not in metrics:
            return ABSENT
        metrics = metrics[name]
    return "undefined" if metrics is None else to_text(metrics)


def _universe(counts: Mapping[str, int]) -> str:
    return ", ".join(_format(counts, (name,), str) for name in ("stocks", "joined", "left"))


def _baseline(name: str, table: dict[str, Any]) -> str:
    difference = table["model_less_this"]
    rank_ic = [table["mean_rank_ic"], difference["mean_rank_ic"]] if "mean_rank_ic" in table else []
    cells = [
        interval(table["sharpe"]),
        interval(difference["sharpe"]),
        *(map(interval, rank_ic) if rank_ic else (ABSENT, ABSENT)),
    ]
    return f"| {TITLES[name]} | {' | '.join(cells)} |"
