"""What is said of a model is what its numbers show, and no more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gogooku3.metrics.sharpe_significance import MANY_TRIALS
from gogooku3.report.results import Results
from gogooku3.report.verdict import ENOUGH_TRIALS, Answer, judge

FAULT = {"check": "missing", "kind": "missing", "level": "fault", "text": "`ret_1` is missing", "values": {}}


def answers(results: Results) -> dict[str, Answer]:
    return {answer.question: answer for answer in judge(results).answers}


def test_a_skilled_model_that_beats_its_rivals_is_told_so(skilled: Results) -> None:
    verdict = judge(skilled)
    assert verdict.headline == "It ranks and earns after costs, and beats LightGBM"
    assert verdict.level == "good"
    sharpe = skilled.test["sharpe"]
    numbers = (f"{sharpe['value']:.2f}", f"[{sharpe['low']:.2f}, {sharpe['high']:.2f}]")
    for number in (*numbers, f"{100 * skilled.test['annual_return']:.1f} %", "beats LightGBM and beats ridge"):
        assert number in verdict.summary
    told = answers(skilled)
    for question in ("Does it earn after costs?", "Do its scores rank?", "Does it beat LightGBM?"):
        assert (told[question].level, told[question].word) == ("good", "yes")


def test_a_model_that_only_equals_its_rivals_is_not_said_to_beat_them(run: Callable[..., Results]) -> None:
    results = run(rival=0.0)
    assert judge(results).headline == "It ranks and earns after costs, but is not shown to beat LightGBM"
    assert judge(results).level == "note"
    assert answers(results)["Does it beat ridge regression?"].word == "not shown"


@pytest.mark.parametrize(
    ("strength", "headline", "level"),
    [(0.0, "No skill is shown", "note"), (-0.3, "It loses money", "fault")],
)
def test_noise_earns_nothing_and_wrong_scores_lose(
    run: Callable[..., Results], strength: float, headline: str, level: str
) -> None:
    results = run(strength=strength, portfolio={"cost_bps": 0.1})
    assert (judge(results).headline, judge(results).level) == (headline, level)
    assert answers(results)["More than luck among many trials?"].level == "fault"
    assert answers(results)["Is the record long enough?"].word == "no"


@pytest.mark.parametrize("free", [{"cost_bps": 0.0}, {"borrow_bps": 0.0}, {"delay": 0}])
def test_what_nobody_could_have_had_is_the_headline(run: Callable[..., Results], free: dict[str, Any]) -> None:
    results = run(portfolio=free)
    assert judge(results).headline == "Nobody could have had these results"
    assert judge(results).level == "fault"
    assert answers(results)["Could anybody have had it?"].word == "no"


def test_faults_of_the_data_come_before_what_was_earned(run: Callable[..., Results]) -> None:
    results = run(findings=[FAULT])
    assert judge(results).headline == "The data behind these results has faults"
    assert "1 fault" in answers(results)["Is the data sound?"].evidence


def test_a_universe_that_nobody_leaves_is_noted(skilled: Results) -> None:
    question = "Are stocks in it that went?"
    assert (answers(skilled)[question].level, answers(skilled)[question].word) == ("note", "not seen")
    test = skilled.test | {"universe": {"stocks": 40, "joined": 1, "left": 3}}
    assert answers(replace(skilled, test=test))[question].level == "good"


ABOVE, ABOUT, BELOW = ({"value": mid, "low": mid - 1.0, "high": mid + 1.0} for mid in (1.5, 0.5, -1.5))
UNDEFINED = {"value": None, "low": None, "high": None}


@pytest.mark.parametrize(
    ("rank_ic", "sharpe", "headline", "level"),
    [
        (ABOVE, ABOVE, "It ranks and earns after costs, and beats LightGBM", "good"),
        (ABOVE, ABOUT, "It ranks, but is not shown to earn after costs", "note"),
        (ABOVE, UNDEFINED, "It ranks, but is not shown to earn after costs", "note"),
        (ABOVE, BELOW, "It ranks, but loses money after costs", "fault"),
        (ABOUT, ABOVE, "It earns after costs, but is not shown to rank", "note"),
        (ABOUT, ABOUT, "No skill is shown", "note"),
        (UNDEFINED, UNDEFINED, "No skill is shown", "note"),
        (ABOUT, BELOW, "It loses money", "fault"),
        (BELOW, ABOVE, "It earns after costs, but ranks the wrong way", "fault"),
        (BELOW, ABOUT, "It ranks the wrong way round", "fault"),
        (BELOW, BELOW, "It loses money", "fault"),
    ],
)
def test_the_headline_says_what_the_answers_on_ranks_and_earnings_say(
    skilled: Results, rank_ic: dict[str, Any], sharpe: dict[str, Any], headline: str, level: str
) -> None:
    test = skilled.test | {"mean_rank_ic": rank_ic, "sharpe": skilled.test["sharpe"] | sharpe}
    verdict = judge(replace(skilled, test=test))
    assert (verdict.headline, verdict.level) == (headline, level)


def test_a_rival_that_is_beaten_by_ranks_alone_is_beaten_in_part(skilled: Results) -> None:
    rival = skilled.baselines["lightgbm"]
    less = rival["model_less_this"] | {"mean_rank_ic": ABOVE, "sharpe": ABOUT}
    baselines = skilled.baselines | {"lightgbm": rival | {"model_less_this": less}}
    verdict = judge(replace(skilled, baselines=baselines))
    assert verdict.headline == "It ranks and earns after costs, but beats LightGBM only in part"
    assert verdict.level == "note"


@pytest.mark.parametrize(
    ("trials", "level", "word"),
    [
        (0, "fault", "no"),
        (1, "note", "up to 1"),
        (ENOUGH_TRIALS - 1, "note", f"up to {ENOUGH_TRIALS - 1}"),
        (ENOUGH_TRIALS, "good", f"up to {ENOUGH_TRIALS}"),
        (MANY_TRIALS, "good", "≥ 1,000,000"),
    ],
)
def test_the_trials_that_validation_survives_are_the_answer(
    skilled: Results, trials: int, level: str, word: str
) -> None:
    chosen = skilled.validation | {"sharpe": skilled.validation["sharpe"] | {"trials_survived": trials}}
    answer = answers(replace(skilled, validation=chosen))["More than luck among many trials?"]
    assert (answer.level, answer.word) == (level, word)
    assert f"{ENOUGH_TRIALS} trials are asked for" in answer.evidence
    assert "its tag has their number" in answer.evidence


def test_what_chance_alone_could_give_is_said_so(skilled: Results) -> None:
    chance = skilled.test["sharpe"] | {"trials_survived": 0}
    results = replace(
        skilled,
        test=skilled.test | {"sharpe": chance},
        validation=skilled.validation | {"sharpe": skilled.validation["sharpe"] | {"trials_survived": 0}},
    )
    assert "Chance alone could give that, were it the only trial." in judge(results).summary
    answer = answers(results)["More than luck among many trials?"]
    assert (answer.level, answer.word) == ("fault", "no")
