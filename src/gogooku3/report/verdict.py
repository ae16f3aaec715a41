"""Verdict on the results: a headline and a list of checks (costs, baselines, multiple testing, survivorship bias)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from markupsafe import Markup

from gogooku3.metrics.sharpe_significance import CONFIDENCE, MANY_TRIALS
from gogooku3.objective import SHARPE
from gogooku3.package.duel import duel
from gogooku3.package.results import (
    RIVALS,
    TITLES,
    findings_of,
    is_synthetic,
    objective_of,
    objective_text,
    target_verdict,
    unprofitable,
    unrealistic_assumptions,
    verb,
)
from gogooku3.pages.words import code, count, decimal, estimate
from gogooku3.report.results import SPLIT, Results

Level = Literal["good", "note", "fault"]

ENOUGH_TRIALS = 100
"""Number of trials that a significant result must survive: the size of an ordinary hyperparameter search."""


@dataclass(frozen=True)
class Check:
    """One check of the results."""

    name: str
    """The section of the page with the details."""
    title: str
    level: Level
    outcome: str
    """The outcome in a word or two."""
    evidence: Markup


@dataclass(frozen=True)
class Verdict:
    """The top of the page."""

    headline: str
    level: Level
    summary: Markup
    checks: list[Check]


def judge(results: Results) -> Verdict:
    """Runs all checks and derives the headline from them."""
    earns, ranks, tradable, quality = _earns(results), _ranks(results), _tradable(results), _data_quality(results)
    plausible, unrealistic = _plausible(results), unrealistic_assumptions(results.params["evaluation"]["portfolio"])
    beats = {name: _beats(name, results.baselines[name]) for name in RIVALS}
    checks = [
        _objective(results),
        earns,
        ranks,
        *beats.values(),
        _multiple_testing(results),
        _track_record(results),
        tradable,
    ]
    checks += [plausible, _survivorship(results), quality]
    level: Level = "good" if earns.level == ranks.level == beats[RIVALS[0]].level == "good" else "note"
    if unrealistic or "fault" in (earns.level, ranks.level, plausible.level, quality.level):
        level = "fault"
    if unrealistic:
        headline = "These results are not tradable"
    elif plausible.level == "fault":
        headline = "These results are too good to be true"
    elif quality.level == "fault":
        headline = "The data behind these results has faults"
    else:
        headline = _headline(earns, ranks, beats[RIVALS[0]])
    if is_synthetic(results.params):
        headline = f"On a synthetic market, {headline[0].lower()}{headline[1:]}"
    return Verdict(headline, level, _summary(results), checks)


def _headline(earns: Check, ranks: Check, beats: Check) -> str:
    """Ranking skill, return after costs, and the strongest baseline, as the three checks find them."""
    if earns.level == "fault":
        return "It ranks, but loses money after costs" if ranks.level == "good" else "It loses money"
    if earns.level == "note":
        return {
            "good": "It ranks, but is not shown to earn after costs",
            "note": "No skill is shown",
            "fault": "Its RankIC is negative",
        }[ranks.level]
    if ranks.level != "good":
        return (
            f"It earns after costs, but {'is not shown to rank' if ranks.level == 'note' else 'its RankIC is negative'}"
        )
    comparison = {
        "yes": "and beats LightGBM",
        "in part": "but beats LightGBM only in part",
        "not shown": "but is not shown to beat LightGBM",
        "no": "but LightGBM is better",
    }
    lost = f"but is {beats.outcome.replace('worse', 'worse than LightGBM')}"
    return f"It ranks and earns after costs, {comparison.get(beats.outcome, lost)}"


def _summary(results: Results) -> Markup:
    test = results.test
    rivals = [f"{verb(_difference(results, name, 'sharpe'))} {TITLES[name]}" for name in RIVALS]
    return Markup(
        "Out of sample, over {sessions} from {first} to {last}, the model earns {earned} a year after costs, with a"
        " Sharpe ratio of {sharpe}. It ranks stocks with a mean RankIC of {rank_ic} and, by Sharpe ratio, {rivals}."
        " {trials}.{implausible}"
    ).format(
        sessions=count(test["sessions"], "session"),
        first=test["from"],
        last=test["to"],
        earned=decimal(test["annual_return"], ".1%"),
        sharpe=estimate(test["sharpe"], ".2f"),
        rank_ic=estimate(test["mean_rank_ic"]),
        rivals=" and ".join(rivals),
        trials=_chance(test["sharpe"]["trials_survived"]),
        implausible="".join(f" Too good to be true: {text}." for text in _implausible(results)),
    )


def _difference(results: Results, rival: str, metric: str) -> dict[str, Any]:
    difference: dict[str, Any] = results.baselines[rival]["model_less_this"][metric]
    return difference


def _earns(results: Results) -> Check:
    test = results.test
    level, outcome = _above_zero(test["sharpe"])
    evidence = Markup("Sharpe ratio {}: {} annual return, {} volatility, {} maximum drawdown.").format(
        estimate(test["sharpe"], ".2f"),
        *(decimal(test[name], ".1%") for name in ("annual_return", "annual_volatility", "max_drawdown")),
    )
    return Check("returns", "Earns after costs", level, outcome, evidence)


def _ranks(results: Results) -> Check:
    level, outcome = _above_zero(results.test["mean_rank_ic"])
    evidence = Markup("Mean RankIC over the horizons {}.").format(estimate(results.test["mean_rank_ic"]))
    return Check("rank-ic", "Ranks stocks (RankIC)", level, outcome, evidence)


def _objective(results: Results) -> Check:
    """Whether the metric that the tier declares reaches its target on validation, where models are chosen."""
    tier = results.params["tier"]
    cell, target = objective_of(results.validation, tier["metric"]), tier["target"]
    outcome = "no target" if target is None else target_verdict(cell, target)
    levels: dict[str, Level] = {"reached": "good", "not reached": "fault"}
    evidence = Markup("{}").format(objective_text(tier, results.validation))
    return Check(
        "rank-ic" if tier["metric"] != SHARPE else "returns",
        "Objective of the tier",
        levels.get(outcome, "note"),
        outcome,
        evidence,
    )


def _beats(name: str, table: Mapping[str, Any]) -> Check:
    found = duel(table)
    levels: dict[str, Level] = {"yes": "good", "in part": "note", "not shown": "note"}
    level = levels.get(found.outcome, "fault")
    evidence = Markup("{}").format(found.text(TITLES[name]))
    return Check("baselines", f"Beats {TITLES[name]}", level, found.outcome, evidence)


def _multiple_testing(results: Results) -> Check:
    """Judged on validation, which model selection biases upwards; nothing is chosen on test."""
    chosen, test = (metrics["sharpe"]["trials_survived"] for metrics in (results.validation, results.test))
    evidence = Markup(
        "Deflated Sharpe ratio of {} or more: on validation, where models are chosen, {}; on {}, {}. Required: {}"
        " trials. A run does not know the true number of trials: a release counts them, and its tag has their number"
        " and the deflated Sharpe ratio for it."
    ).format(decimal(CONFIDENCE, ".0%"), _trials(chosen), SPLIT, _trials(test), ENOUGH_TRIALS)
    level: Level = "good" if chosen >= ENOUGH_TRIALS else "note" if chosen else "fault"
    outcome = f"≥ {MANY_TRIALS:,}" if chosen >= MANY_TRIALS else f"up to {chosen:,}" if chosen else "no"
    return Check("returns", "Survives multiple testing", level, outcome, evidence)


def _chance(trials: int) -> str:
    if trials == 0:
        return "Chance alone can explain it, even as the only trial"
    return f"It would still be significant {_trials(trials)}"


def _trials(number: int) -> str:
    if number == 0:
        return "not even as the only trial"
    return f"as the best of {'a million trials or more' if number >= MANY_TRIALS else count(number, 'trial')}"


def _track_record(results: Results) -> Check:
    title = "Track record long enough"
    sessions, needed = results.test["sessions"], results.test["sharpe"]["min_track_record"]
    if needed is None:
        evidence = Markup("The Sharpe ratio is not above 0, so no number of sessions is enough.")
        return Check("returns", title, "note", "no", evidence)
    enough = sessions >= needed
    evidence = Markup("{}; this Sharpe ratio needs {:,.0f} to be significantly above 0 at {}.").format(
        count(sessions, "session"), needed, decimal(CONFIDENCE, ".0%")
    )
    level: Level = "good" if enough else "note"
    return Check("returns", title, level, "yes" if enough else "no", evidence)


def _tradable(results: Results) -> Check:
    portfolio, test = results.params["evaluation"]["portfolio"], results.test
    problems = [*unrealistic_assumptions(portfolio), *filter(None, [unprofitable(portfolio, test)])]
    if problems:
        text = "; ".join(problems)
        return Check("portfolio", "Tradable", "fault", "no", Markup("{}{}.").format(text[0].upper(), text[1:]))
    evidence = Markup(
        "It trades {} after the scores are known and pays {:g} basis points of the traded value; break-even at {}."
        " Capacity {}."
    ).format(
        count(portfolio["delay"], "session"),
        portfolio["cost_bps"],
        decimal(test["break_even_bps"], ".1f"),
        decimal(test["capacity"], ",.0f"),
    )
    return Check("portfolio", "Tradable", "good", "yes", evidence)


def _plausible(results: Results) -> Check:
    """Whether results and features are within the bounds of `gogooku3.evaluation.plausibility`, on both splits."""
    title, splits = "Plausible", (results.validation, results.test)
    errors = _implausible(results)
    warnings = [text for split in splits for text in findings_of(split, "warning")]
    found = [f"{text[0].upper()}{text[1:]}." for text in dict.fromkeys(errors + warnings)]
    if not found and not all("plausibility" in split for split in splits):
        return Check("returns", title, "note", "not checked", Markup("An earlier version evaluated this model."))
    evidence = code(" ".join(found) or "No result is outside the bounds of plausibility.")
    if errors:
        return Check("returns", title, "fault", "no", evidence)
    return Check("returns", title, "note" if warnings else "good", "hardly" if warnings else "yes", evidence)


def _implausible(results: Results) -> list[str]:
    """Errors of plausibility: of the scores on both splits, and of the data."""
    of_scores = [text for split in (results.validation, results.test) for text in findings_of(split, "error")]
    of_data = [
        ": ".join(filter(None, [", ".join(finding["features"]), finding["text"].rstrip(".")]))
        for finding in results.quality["findings"]
        if finding["check"] == "plausibility" and finding["level"] == "fault"
    ]
    return list(dict.fromkeys(of_scores + of_data))


def _survivorship(results: Results) -> Check:
    """A universe without delistings may have survivorship bias: its stocks may have been selected with look-ahead."""
    universe, sessions = results.test["universe"], results.test["sessions"]
    evidence = Markup("Of {}, {} joined and {} left within {}.").format(
        count(universe["stocks"], "stock"), universe["joined"], universe["left"], count(sessions, "session")
    )
    level: Level = "good" if universe["left"] else "note"
    outcome = "delistings" if universe["left"] else "no delistings"
    return Check("data", "Survivorship", level, outcome, evidence)


def _data_quality(results: Results) -> Check:
    quality = results.quality
    counts = [count(quality[f"{level}s"], level) for level in ("fault", "note") if quality[f"{level}s"]]
    evidence = Markup("{} found; reports/data_quality.html lists all checks.").format(" and ".join(counts) or "Nothing")
    level: Level = "good" if quality["sound"] else "fault"
    return Check("data", "Data quality", level, "sound" if quality["sound"] else "not sound", evidence)


def _above_zero(cell: Mapping[str, Any]) -> tuple[Level, str]:
    """Whether the interval is entirely above zero, entirely below it, or includes it."""
    if cell["low"] is None or cell["high"] is None:
        return "note", "undefined"
    if cell["low"] > 0:
        return "good", "yes"
    return ("fault", "no") if cell["high"] < 0 else ("note", "not shown")
