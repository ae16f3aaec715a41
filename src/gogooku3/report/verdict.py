"""What the results say, in words: the questions that a sceptic asks first, each with its answer and the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from markupsafe import Markup

from gogooku3.metrics.sharpe_significance import CONFIDENCE, MANY_TRIALS
from gogooku3.package.results import TITLES, unrealistic_assumptions, verb
from gogooku3.pages.words import count, decimal, estimate
from gogooku3.report.results import SPLIT, Results

Level = Literal["good", "note", "fault"]

RIVALS = ("lightgbm", "ridge")
"""Baselines that learn, and that a network must beat to be worth its cost."""


ENOUGH_TRIALS = 100
"""What a result must survive to pass for more than luck: a search of ordinary size makes as many."""


@dataclass(frozen=True)
class Answer:
    """One question, answered."""

    name: str
    """The section of the page that has more of it."""
    question: str
    level: Level
    word: str
    """The answer in a word or two."""
    evidence: Markup


@dataclass(frozen=True)
class Verdict:
    """What comes first."""

    headline: str
    level: Level
    summary: Markup
    answers: list[Answer]


def judge(results: Results) -> Verdict:
    """Answers every question."""
    earns, ranks, possible, sound = _earns(results), _ranks(results), _possible(results), _sound(results)
    beats = {name: _beats(name, results.baselines[name]["model_less_this"]) for name in RIVALS}
    answers = [earns, ranks, *beats.values(), _survives(results), _long_enough(results), possible]
    answers += [_survivors(results), sound]
    level: Level = "good" if earns.level == ranks.level == beats[RIVALS[0]].level == "good" else "note"
    if "fault" in (earns.level, ranks.level, possible.level, sound.level):
        level = "fault"
    if possible.level == "fault":
        headline = "Nobody could have had these results"
    elif sound.level == "fault":
        headline = "The data behind these results has faults"
    else:
        headline = _headline(earns, ranks, beats[RIVALS[0]])
    return Verdict(headline, level, _summary(results), answers)


def _headline(earns: Answer, ranks: Answer, beats: Answer) -> str:
    """Skill before costs, money after them, and the strongest rival: as the three answers have it, and no more."""
    if earns.level == "fault":
        return "It ranks, but loses money after costs" if ranks.level == "good" else "It loses money"
    if earns.level == "note":
        return {
            "good": "It ranks, but is not shown to earn after costs",
            "note": "No skill is shown",
            "fault": "It ranks the wrong way round",
        }[ranks.level]
    if ranks.level != "good":
        return f"It earns after costs, but {'is not shown to rank' if ranks.level == 'note' else 'ranks the wrong way'}"
    against = {
        "yes": "and beats LightGBM",
        "in part": "but beats LightGBM only in part",
        "not shown": "but is not shown to beat LightGBM",
        "no": "but LightGBM is better",
    }
    return f"It ranks and earns after costs, {against[beats.word]}"


def _summary(results: Results) -> Markup:
    test = results.test
    rivals = [f"{verb(_gain(results, name, 'sharpe'))} {TITLES[name]}" for name in RIVALS]
    return Markup(
        "Out of sample, over {sessions} from {first} to {last}, the model earns {earned} a year after costs, with a"
        " Sharpe ratio of {sharpe}. It ranks stocks with a mean RankIC of {rank_ic} and, by Sharpe ratio, {rivals}."
        " {trials}."
    ).format(
        sessions=count(test["sessions"], "session"),
        first=test["from"],
        last=test["to"],
        earned=decimal(test["annual_return"], ".1%"),
        sharpe=estimate(test["sharpe"], ".2f"),
        rank_ic=estimate(test["mean_rank_ic"]),
        rivals=" and ".join(rivals),
        trials=_chance(test["sharpe"]["trials_survived"]),
    )


def _gain(results: Results, rival: str, metric: str) -> dict[str, Any]:
    gain: dict[str, Any] = results.baselines[rival]["model_less_this"][metric]
    return gain


def _earns(results: Results) -> Answer:
    test = results.test
    level, word = _above_zero(test["sharpe"])
    evidence = Markup("Sharpe ratio {}: {} a year at {} volatility, {} at the worst.").format(
        estimate(test["sharpe"], ".2f"),
        *(decimal(test[name], ".1%") for name in ("annual_return", "annual_volatility", "max_drawdown")),
    )
    return Answer("returns", "Does it earn after costs?", level, word, evidence)


def _ranks(results: Results) -> Answer:
    level, word = _above_zero(results.test["mean_rank_ic"])
    evidence = Markup("Mean RankIC over the horizons {}.").format(estimate(results.test["mean_rank_ic"]))
    return Answer("rank-ic", "Do its scores rank?", level, word, evidence)


def _beats(name: str, less: Mapping[str, Any]) -> Answer:
    levels = [_above_zero(less[metric])[0] for metric in ("mean_rank_ic", "sharpe")]
    if "fault" in levels:
        level, word = "fault", "no"
    elif "note" in levels:
        level, word = "note", "in part" if "good" in levels else "not shown"
    else:
        level, word = "good", "yes"
    evidence = Markup("Session by session the model less it: mean RankIC {}, Sharpe ratio {}.").format(
        estimate(less["mean_rank_ic"]), estimate(less["sharpe"], ".2f")
    )
    return Answer("baselines", f"Does it beat {TITLES[name]}?", level, word, evidence)  # type: ignore[arg-type]


def _survives(results: Results) -> Answer:
    """By validation, on which models are chosen and which flatters them for it; nothing is chosen by test."""
    chosen, test = (metrics["sharpe"]["trials_survived"] for metrics in (results.validation, results.test))
    evidence = Markup(
        "Deflated Sharpe ratio of {} or more: on validation, where models are chosen, {}; on {}, {}. {} trials are"
        " asked for here; how many were really made no run can know: a release counts them, and its tag has their"
        " number and the deflated Sharpe ratio for it."
    ).format(decimal(CONFIDENCE, ".0%"), _trials(chosen), SPLIT, _trials(test), ENOUGH_TRIALS)
    level: Level = "good" if chosen >= ENOUGH_TRIALS else "note" if chosen else "fault"
    word = f"≥ {MANY_TRIALS:,}" if chosen >= MANY_TRIALS else f"up to {chosen:,}" if chosen else "no"
    return Answer("returns", "More than luck among many trials?", level, word, evidence)


def _chance(trials: int) -> str:
    if trials == 0:
        return "Chance alone could give that, were it the only trial"
    return f"It would still be significant {_trials(trials)}"


def _trials(number: int) -> str:
    if number == 0:
        return "not even as the only trial"
    return f"as the best of {'a million trials or more' if number >= MANY_TRIALS else count(number, 'trial')}"


def _long_enough(results: Results) -> Answer:
    sessions, needed = results.test["sessions"], results.test["sharpe"]["min_track_record"]
    if needed is None:
        evidence = Markup("Without a Sharpe ratio above 0 no number of sessions would do.")
        return Answer("returns", "Is the record long enough?", "note", "no", evidence)
    enough = sessions >= needed
    evidence = Markup("{}; this Sharpe ratio needs {:,.0f} to be told from 0 with {}.").format(
        count(sessions, "session"), needed, decimal(CONFIDENCE, ".0%")
    )
    level: Level = "good" if enough else "note"
    return Answer("returns", "Is the record long enough?", level, "yes" if enough else "no", evidence)


def _possible(results: Results) -> Answer:
    portfolio, test = results.params["evaluation"]["portfolio"], results.test
    question, faults = "Could anybody have had it?", unrealistic_assumptions(portfolio)
    if faults:
        said = "; ".join(faults)
        return Answer("portfolio", question, "fault", "no", Markup("{}{}.").format(said[0].upper(), said[1:]))
    evidence = Markup(
        "It trades {} after the scores are known and pays {:g} basis points of what is traded; at {} nothing would be"
        " left. Capacity {}."
    ).format(
        count(portfolio["delay"], "session"),
        portfolio["cost_bps"],
        decimal(test["break_even_bps"], ".1f"),
        decimal(test["capacity"], ",.0f"),
    )
    return Answer("portfolio", question, "good", "yes", evidence)


def _survivors(results: Results) -> Answer:
    """A universe that nobody leaves may have been chosen by what came after."""
    universe, sessions = results.test["universe"], results.test["sessions"]
    evidence = Markup("Of {}, {} joined and {} left within {}.").format(
        count(universe["stocks"], "stock"), universe["joined"], universe["left"], count(sessions, "session")
    )
    level: Level = "good" if universe["left"] else "note"
    return Answer("data", "Are stocks in it that went?", level, "yes" if universe["left"] else "not seen", evidence)


def _sound(results: Results) -> Answer:
    quality = results.quality
    found = [count(quality[f"{level}s"], level) for level in ("fault", "note") if quality[f"{level}s"]]
    evidence = Markup("{} found; reports/data_quality.html has all that was checked.").format(
        " and ".join(found) or "Nothing"
    )
    level: Level = "good" if quality["sound"] else "fault"
    return Answer("data", "Is the data sound?", level, "yes" if quality["sound"] else "no", evidence)


def _above_zero(cell: Mapping[str, Any]) -> tuple[Level, str]:
    """Whether a whole interval is above zero, below it, or neither."""
    if cell["low"] is None or cell["high"] is None:
        return "note", "undefined"
    if cell["low"] > 0:
        return "good", "yes"
    return ("fault", "no") if cell["high"] < 0 else ("note", "not shown")
