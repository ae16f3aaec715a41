"""Months have the compounded return of their sessions, with shades by size."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from gogooku3.report.heat_map import months
from gogooku3.report.results import Results


def test_a_month_compounds_its_sessions_and_averages_their_rank_ic(skilled: Results) -> None:
    rows = {row.month: row for row in months(skilled)}
    assert list(rows) == sorted(rows)
    june = skilled.sessions.filter(pl.col("Date").dt.month() == 6)
    earned = (1 + june["net"]).product() - 1
    assert rows["2023-06"].sessions == len(june)
    assert rows["2023-06"].cells[0].text == f"{100 * earned:.2f} %".replace("-", "−")
    assert rows["2023-06"].cells[1].text == f"{june['rank_ic_1'].mean():.3f}"
    assert sum(row.sessions for row in rows.values()) == skilled.test["sessions"]


def test_shades_say_sign_and_size(skilled: Results) -> None:
    net = pl.when(pl.col("Date").dt.month() == 6).then(-0.01).otherwise(pl.col("net").abs() / 100)
    rows = {row.month: row for row in months(replace(skilled, sessions=skilled.sessions.with_columns(net=net)))}
    assert rows["2023-06"].cells[0].shade == "loss-3"
    assert rows["2023-07"].cells[0].shade == "gain-1"


@pytest.mark.parametrize("known", [True, False])
def test_a_month_without_a_known_rank_ic_has_none(skilled: Results, known: bool) -> None:
    value = pl.col("rank_ic_5") if known else pl.lit(float("nan"))
    cell = months(replace(skilled, sessions=skilled.sessions.with_columns(rank_ic_5=value)))[0].cells[2]
    assert (cell.text == "–", cell.shade == "") == (not known, not known)
