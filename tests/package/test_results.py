"""Results section of the card: all metrics, and a sentence on the baseline comparison."""

from __future__ import annotations

from typing import Any

import pytest

from gogooku3.package.results import cells, objective_text, results_section, target_verdict

from ..conftest import baselines_like, metrics_like

PORTFOLIO: dict[str, Any] = {
    "horizon": 5,
    "delay": 1,
    "cost_bps": 5.0,
    "borrow_bps": 50.0,
    "max_turnover": None,
    "max_weight": 0.05,
    "sector_neutral": False,
    "participation": 0.05,
    "impact": 0.0,
    "capital": None,
    "delisting_return": 0.0,
    "short": "all",
    "top_k": 10,
    "holding": 10,
}


def results(**changes: Any) -> dict[str, Any]:
    rank_ic = {"1": {"value": 0.031, "low": 0.01, "high": 0.05}, "5": {"value": None, "low": None, "high": None}}
    table = metrics_like(rank_ic, {"value": 1.25, "low": 0.5, "high": 2.0}) | {"break_even_bps": 20.0} | changes
    return {"validation": table, "test": table, "baselines": baselines_like()}


def section(portfolio: dict[str, Any] | None = None, **changes: Any) -> str:
    return results_section(PORTFOLIO | (portfolio or {}), results(**changes))


def difference(low: float | None, high: float | None) -> dict[str, Any]:
    value = None if low is None or high is None else (low + high) / 2
    return {"value": value, "low": low, "high": high}


def test_every_metric_has_its_interval_in_both_columns():
    text = section()
    for row in (
        "| Sharpe | 1.250 [0.500, 2.000] | 1.250 [0.500, 2.000] |",
        "| RankIC, mean over horizons | 0.050 [-0.050, 0.150] | 0.050 [-0.050, 0.150] |",
        "| RankIC, 1 session(s) | 0.031 [0.010, 0.050] | 0.031 [0.010, 0.050] |",
        "| IC, 5 session(s) | undefined | undefined |",
        "| probability of skill | 0.9000 | 0.9000 |",
        "| track record needed, sessions | 250 | 250 |",
        "| trials survived | 12 | 12 |",
        "| annual return | 12.50% | 12.50% |",
        "| exposure to size | undefined | undefined |",
        "| stocks: all, joined, left | 12, 1, 2 | 12, 1, 2 |",
    ):
        assert row in text.splitlines(), row


def test_a_horizon_that_one_split_lacks_is_undefined_there():
    tables = results()
    tables["test"] = tables["test"] | {"rank_ic": {"1": tables["test"]["rank_ic"]["1"]}}
    assert "| RankIC, 5 session(s) | undefined | undefined |" in results_section(PORTFOLIO, tables)


def test_a_metric_that_the_table_does_not_hold_is_a_dash():
    table = results()["test"]
    for name in ("capacity", "mean_rank_ic"):
        del table[name]
    table |= {"sharpe": {"value": 1.25, "low": 0.5}, "universe": {"stocks": 12, "left": 2}, "ic": {"1": {"low": 0.5}}}
    table["exposure"] = {"size": None}
    found = cells(table)
    assert {title: cell for title, cell in found.items() if "–" in cell} == {
        "RankIC, mean over horizons": "–",
        "IC, 1 session(s)": "–",
        "probability of skill": "–",
        "track record needed, sessions": "–",
        "trials survived": "–",
        "capacity": "–",
        "beta to the index": "–",
        "stocks: all, joined, left": "12, –, 2",
    }
    assert (found["Sharpe"], found["exposure to size"]) == ("1.250", "undefined")
    assert cells({}).keys() == {title for title in found if "session(s)" not in title}
    assert set(cells({}).values()) == {"–"}


def test_the_baselines_are_compared_with_the_model():
    text = section()
    assert "| **model** | 1.250 [0.500, 2.000] | | 0.050 [-0.050, 0.150] | |" in text
    cells = "0.250 [-0.500, 1.000]"
    assert f"| LightGBM | {cells} | {cells} | {cells} | {cells} |" in text
    assert f"| equal weights | {cells} | {cells} | – | – |" in text


def test_the_verdict_on_both_learning_baselines_is_part_of_the_card():
    text = section()
    assert "- Beats LightGBM: **not shown**. By RankIC over all horizons the model is not shown to differ" in text
    assert "- Beats ridge regression: **not shown**." in text


@pytest.mark.parametrize(
    ("portfolio", "says"),
    [
        ({"cost_bps": 0.0}, "trading costs nothing"),
        ({"borrow_bps": 0.0}, "borrowing stock costs nothing"),
        ({"cost_bps": 0.0, "borrow_bps": 0.0}, "trading and borrowing stock cost nothing"),
        ({"delay": 0}, "trades use the same prices as the scores (look-ahead)"),
    ],
)
def test_untradable_results_have_a_bold_warning(portfolio: dict[str, Any], says: str):
    assert f"**These results are not tradable: {says}.**" in section(portfolio)
    assert "not tradable" not in section()


def test_the_portfolio_is_described_as_its_parameters_say():
    plain = section({"max_weight": None})
    assert "dollar-neutral, without limits on positions and trades. It trades 1 session(s) after" in plain
    bound = section({"sector_neutral": True, "max_turnover": 0.3})
    assert "dollar-neutral in every sector, no position above 5.00% of capital and no more than 30% of capital" in bound
    assert "transaction costs of 5 basis points of the traded value" in plain


@pytest.mark.parametrize(
    ("value", "low", "high", "says"),
    [
        (0.3, 0.2, 0.4, "reached"),
        (0.3, 0.05, 0.4, "within noise"),
        (0.05, 0.0, 0.2, "within noise"),
        (0.05, 0.0, 0.09, "not reached"),
        (0.3, None, None, "reached, without an interval"),
        (0.05, None, None, "not reached, without an interval"),
        (None, None, None, "undefined"),
    ],
)
def test_a_target_is_reached_only_by_the_whole_interval(
    value: float | None, low: float | None, high: float | None, says: str
):
    assert target_verdict({"value": value, "low": low, "high": high}, 0.1) == says


def test_the_objective_in_sentences():
    tier = {"metric": "rank_ic_5", "target": 0.1, "expectation": "More.", "hypothesis": None}
    table = {"rank_ic": {"5": {"value": 0.2, "low": 0.15, "high": 0.25}}}
    assert objective_text(tier, table) == (
        "RankIC of horizon 5 on validation 0.200 [0.150, 0.250]; target 0.1: reached. Expectation: More."
    )


def test_implausible_results_are_listed_by_split():
    found = [
        {"name": "sharpe", "level": "error", "text": "the Sharpe ratio is above 60"},
        {"name": "hit_rate", "level": "warning", "text": "58 % of the stocks"},
    ]
    lines = section(plausibility=found).splitlines()
    for split in ("validation", "test"):
        assert f"- **Too good to be true**, on {split}: the Sharpe ratio is above 60" in lines
        assert f"- Hardly plausible, on {split}: 58 % of the stocks" in lines
    assert "No result on validation and test is outside the bounds of plausibility." in section(plausibility=[])
    assert "Not checked: the version that evaluated this model had no such check." in section()


def test_costs_above_the_break_even_are_not_tradable():
    warning = "**These results are not tradable: trades break even at 4.0 basis points and cost 5.**"
    assert warning in section(break_even_bps=4.0)
    assert "not tradable" not in section(break_even_bps=5.0)
    assert "not tradable" not in section(break_even_bps=None)
