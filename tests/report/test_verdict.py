"""What is said of a model is what its numbers show, and no more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gogooku3.report.results import Results
from gogooku3.report.verdict import Answer, judge

FAULT = {"check": "missing", "kind": "missing", "level": "fault", "text": "`ret_1` is missing", "values": {}}


def answers(results: Results) -> dict[str, Answer]:
    return {answer.question: answer for answer in judge(results).answers}


def test_a_skilled_model_that_beats_its_rivals_is_told_so(skilled: Results) -> None:
    verdict = judge(skilled)
    assert verdict.headline == "It earns after costs, and beats LightGBM"
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
    assert judge(results).headline == "It earns after costs, but is not shown to beat LightGBM"
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
    assert answers(results)["More than luck among many trials?"].level == "note"
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


def test_the_trials_that_validation_survives_are_the_answer(skilled: Results) -> None:
    chosen = skilled.validation | {"sharpe": skilled.validation["sharpe"] | {"trials_survived": 1}}
    answer = answers(replace(skilled, validation=chosen))["More than luck among many trials?"]
    assert (answer.level, answer.word) == ("note", "up to 1")


def test_what_chance_alone_could_give_is_said_so(skilled: Results) -> None:
    chance = skilled.test["sharpe"] | {"trials_survived": 0}
    results = replace(
        skilled,
        test=skilled.test | {"sharpe": chance},
        validation=skilled.validation | {"sharpe": skilled.validation["sharpe"] | {"trials_survived": 0}},
    )
    assert "Chance alone could give that, were it the only trial." in judge(results).summary
    answer = answers(results)["More than luck among many trials?"]
    assert (answer.level, answer.word) == ("note", "no")
