"""The verdict on a model follows from its metrics, and claims no more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gogooku3.metrics.sharpe_significance import MANY_TRIALS
from gogooku3.report.results import Results
from gogooku3.report.verdict import ENOUGH_TRIALS, Check, judge

FAULT = {"check": "missing", "kind": "missing", "level": "fault", "text": "`ret_1` is missing", "values": {}}


def checks(results: Results) -> dict[str, Check]:
    return {check.title: check for check in judge(results).checks}


def on_real_quotes(results: Results) -> Results:
    return replace(results, params=results.params | {"quotes": {"source": "file"}})


def test_a_skilled_model_that_beats_its_rivals_has_a_good_verdict(skilled: Results) -> None:
    verdict = judge(on_real_quotes(skilled))
    assert verdict.headline == "It ranks and earns after costs, and beats LightGBM"
    assert verdict.level == "good"
    sharpe = skilled.test["sharpe"]
    numbers = (f"{sharpe['value']:.2f}", f"[{sharpe['low']:.2f}, {sharpe['high']:.2f}]")
    for number in (*numbers, f"{100 * skilled.test['annual_return']:.1f} %", "beats LightGBM and beats ridge"):
        assert number in verdict.summary
    found = checks(skilled)
    for title in ("Earns after costs", "Ranks stocks (RankIC)", "Beats LightGBM"):
        assert (found[title].level, found[title].outcome) == ("good", "yes")


def test_a_model_that_only_equals_its_rivals_is_not_said_to_beat_them(run: Callable[..., Results]) -> None:
    results = on_real_quotes(run(rival=0.0))
    assert judge(results).headline == "It ranks and earns after costs, but is not shown to beat LightGBM"
    assert judge(results).level == "note"
    assert checks(results)["Beats ridge regression"].outcome == "not shown"


@pytest.mark.parametrize(
    ("strength", "headline", "level"),
    [(0.0, "No skill is shown", "note"), (-0.3, "It loses money", "fault")],
)
def test_noise_earns_nothing_and_wrong_scores_lose(
    run: Callable[..., Results], strength: float, headline: str, level: str
) -> None:
    results = on_real_quotes(run(strength=strength, portfolio={"cost_bps": 0.1}))
    assert (judge(results).headline, judge(results).level) == (headline, level)
    assert checks(results)["Survives multiple testing"].level == "fault"
    assert checks(results)["Track record long enough"].outcome == "no"


@pytest.mark.parametrize("free", [{"cost_bps": 0.0}, {"borrow_bps": 0.0}, {"delay": 0}])
def test_untradable_results_are_the_headline(run: Callable[..., Results], free: dict[str, Any]) -> None:
    results = on_real_quotes(run(portfolio=free))
    assert judge(results).headline == "These results are not tradable"
    assert judge(results).level == "fault"
    assert checks(results)["Tradable"].outcome == "no"


def test_data_faults_take_precedence_over_returns(run: Callable[..., Results]) -> None:
    results = on_real_quotes(run(findings=[FAULT]))
    assert judge(results).headline == "The data behind these results has faults"
    assert "1 fault" in checks(results)["Data quality"].evidence


def found(level: str) -> dict[str, Any]:
    text = "the Sharpe ratio is above 60 with `97.5 %` <confidence>; plausible: up to 6"
    return {"name": "sharpe", "level": level, "value": 60.0, "bound": 6.0, "text": text, "look_at": "costs"}


@pytest.mark.parametrize("split", ["validation", "test"])
def test_implausible_results_are_the_headline(skilled: Results, split: str) -> None:
    clean = {name: getattr(skilled, name) | {"plausibility": []} for name in ("validation", "test")}
    plausible = checks(replace(skilled, **clean))["Plausible"]
    assert (plausible.level, plausible.outcome) == ("good", "yes")
    results = replace(skilled, **(clean | {split: clean[split] | {"plausibility": [found("error")]}}))
    verdict = judge(on_real_quotes(results))
    assert (verdict.headline, verdict.level) == ("These results are too good to be true", "fault")
    assert judge(results).headline == "On a synthetic market, these results are too good to be true"
    assert "Too good to be true: the Sharpe ratio is above 60" in verdict.summary
    assert "&lt;confidence&gt;" in checks(results)["Plausible"].evidence
    warned = replace(skilled, **(clean | {split: clean[split] | {"plausibility": [found("warning")]}}))
    assert checks(warned)["Plausible"].outcome == "hardly"
    assert judge(on_real_quotes(warned)).headline == judge(on_real_quotes(skilled)).headline


def test_a_feature_that_knows_the_future_makes_the_results_implausible(skilled: Results) -> None:
    finding = {"check": "plausibility", "level": "fault", "features": ["joined_table_value"], "text": "a RankIC of 0.9"}
    results = on_real_quotes(replace(skilled, quality=skilled.quality | {"sound": False, "findings": [finding]}))
    assert judge(results).headline == "These results are too good to be true"
    assert "Joined_table_value: a RankIC of 0.9." in checks(results)["Plausible"].evidence


def test_results_of_an_earlier_version_are_not_checked(skilled: Results) -> None:
    assert "plausibility" not in skilled.test
    assert checks(skilled)["Plausible"].outcome == "not checked"


def test_costs_above_the_break_even_are_not_tradable(skilled: Results) -> None:
    cost = skilled.params["evaluation"]["portfolio"]["cost_bps"]
    results = replace(skilled, test=skilled.test | {"break_even_bps": cost - 0.2})
    tradable = checks(results)["Tradable"]
    assert (tradable.level, tradable.outcome) == ("fault", "no")
    assert f"break even at {cost - 0.2:.1f} basis points and cost {cost:g}" in tradable.evidence
    assert checks(replace(skilled, test=skilled.test | {"break_even_bps": cost}))["Tradable"].outcome == "yes"


def test_a_universe_that_nobody_leaves_is_noted(skilled: Results) -> None:
    survivorship = checks(skilled)["Survivorship"]
    assert (survivorship.level, survivorship.outcome) == ("note", "no delistings")
    test = skilled.test | {"universe": {"stocks": 40, "joined": 1, "left": 3}}
    assert checks(replace(skilled, test=test))["Survivorship"].level == "good"


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
        (BELOW, ABOVE, "It earns after costs, but its RankIC is negative", "fault"),
        (BELOW, ABOUT, "Its RankIC is negative", "fault"),
        (BELOW, BELOW, "It loses money", "fault"),
    ],
)
def test_the_headline_follows_from_the_checks_of_rank_ic_and_returns(
    skilled: Results, rank_ic: dict[str, Any], sharpe: dict[str, Any], headline: str, level: str
) -> None:
    test = skilled.test | {"mean_rank_ic": rank_ic, "sharpe": skilled.test["sharpe"] | sharpe}
    results = replace(skilled, test=test)
    verdict = judge(on_real_quotes(results))
    assert (verdict.headline, verdict.level) == (headline, level)
    assert judge(results).headline == f"On a synthetic market, {headline[0].lower()}{headline[1:]}"


def test_a_rival_that_is_beaten_by_ranks_alone_is_beaten_in_part(skilled: Results) -> None:
    rival = skilled.baselines["lightgbm"]
    difference = rival["model_less_this"] | {"mean_rank_ic": ABOVE, "sharpe": ABOUT}
    baselines = skilled.baselines | {"lightgbm": rival | {"model_less_this": difference}}
    verdict = judge(on_real_quotes(replace(skilled, baselines=baselines)))
    assert verdict.headline == "It ranks and earns after costs, but beats LightGBM only in part"
    assert verdict.level == "note"


@pytest.mark.parametrize(
    ("trials", "level", "outcome"),
    [
        (0, "fault", "no"),
        (1, "note", "up to 1"),
        (ENOUGH_TRIALS - 1, "note", f"up to {ENOUGH_TRIALS - 1}"),
        (ENOUGH_TRIALS, "good", f"up to {ENOUGH_TRIALS}"),
        (MANY_TRIALS, "good", "≥ 1,000,000"),
    ],
)
def test_multiple_testing_is_judged_on_validation(skilled: Results, trials: int, level: str, outcome: str) -> None:
    chosen = skilled.validation | {"sharpe": skilled.validation["sharpe"] | {"trials_survived": trials}}
    check = checks(replace(skilled, validation=chosen))["Survives multiple testing"]
    assert (check.level, check.outcome) == (level, outcome)
    assert f"Required: {ENOUGH_TRIALS} trials" in check.evidence
    assert "its tag has their number" in check.evidence


def test_results_that_chance_can_explain_say_so(skilled: Results) -> None:
    chance = skilled.test["sharpe"] | {"trials_survived": 0}
    results = replace(
        skilled,
        test=skilled.test | {"sharpe": chance},
        validation=skilled.validation | {"sharpe": skilled.validation["sharpe"] | {"trials_survived": 0}},
    )
    assert "Chance alone can explain it, even as the only trial." in judge(results).summary
    check = checks(results)["Survives multiple testing"]
    assert (check.level, check.outcome) == ("fault", "no")
