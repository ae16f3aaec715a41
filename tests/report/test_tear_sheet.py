"""The tear sheet shows the numbers of the details, and only those that are there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gogooku3.report import tear_sheet
from gogooku3.report.heat_map import years
from gogooku3.report.page import page
from gogooku3.report.results import Results

from ..pages.elements import Elements


def test_the_grid_has_a_row_per_year_and_compounds_its_months() -> None:
    grid = [
        {"month": "2022-12", "return": 0.1},
        {"month": "2023-01", "return": -0.2},
        {"month": "2023-03", "return": 0.5},
    ]
    rows = years(grid)
    assert [row.year for row in rows] == ["2022", "2023"]
    assert [cell.text for cell in rows[0].cells] == [*[""] * 11, "10.0 %"]
    assert [cell.text for cell in rows[1].cells] == ["−20.0 %", "", "50.0 %", *[""] * 9]
    assert [row.total.text for row in rows] == ["10.0 %", "20.0 %"]
    assert [rows[1].cells[0].shade, rows[1].cells[2].shade, rows[1].cells[1].shade] == ["loss-2", "gain-3", ""]


def test_the_page_shows_drawdowns_groups_costs_and_capacity(skilled: Results) -> None:
    sizes = {"small": {"value": 0.25, "low": 0.125, "high": 0.375, "sessions": 9}}
    text = Elements(page(replace(skilled, details=skilled.details | {"rank_ic_by_size": sizes}))).text
    worst = skilled.details["drawdowns"][0]
    shown = f"{100 * worst['depth']:.2f} %{worst['peak']}{worst['trough']}".replace("-", "−")
    assert shown in text.replace("-", "−")
    assert "small0.250 [0.125, 0.375]9" in text
    capital = skilled.details["capacity_curve"][0]["capital"]
    assert f"{capital:,.0f}" in text


def test_the_charts_hold_the_numbers_of_the_details(drawn: str, skilled: Results) -> None:
    blocks = Elements(drawn).blocks
    (rolling,) = (block for block in blocks if "sharpe" in block.get("columns", {}))
    known = skilled.details["rolling"]["sharpe"]
    assert rolling["columns"]["sharpe"] == pytest.approx([1000 * value for value in known], abs=0.51)
    assert rolling["decimals"] == 3
    rows = [
        row for block in blocks for spec in block["specs"] for data in spec.get("datasets", {}).values() for row in data
    ]
    assert sum(row.get("sessions", 0) for row in rows if "high" in row and "low" in row and "value" not in row) == sum(
        skilled.details["histogram"]["counts"]
    )
    assert [row["annual_return"] for row in rows if "cost_bps" in row] == [
        row["annual_return"] for row in skilled.details["cost_curve"]
    ]
    assert [row["lag"] for row in rows if "lag" in row] == [row["lag"] for row in skilled.details["ic_decay"]]


def test_a_beta_that_is_undefined_throughout_has_no_chart(skilled: Results) -> None:
    assert not any(skilled.details["rolling"]["beta"])
    assert {"rolling_sharpe", "rolling_beta"} & set(tear_sheet.pictures(skilled.details)) == {"rolling_sharpe"}
    rolling = skilled.details["rolling"] | {"beta": [0.1] * len(skilled.details["rolling"]["dates"])}
    assert "rolling_beta" in tear_sheet.pictures({"rolling": rolling})


@pytest.mark.parametrize("details", [{}, {"rolling": {"window": 60, "dates": [], "sharpe": [], "beta": []}}])
def test_what_is_not_there_is_not_shown(skilled: Results, details: dict[str, object]) -> None:
    assert tear_sheet.pictures(details) == {}
    drawn = page(replace(skilled, details=details))
    ids = {attributes.get("id") for tag, attributes in Elements(drawn).found if tag == "section"}
    assert not ids & {"risk", "costs"}
    assert "IC decay" not in Elements(drawn).text
