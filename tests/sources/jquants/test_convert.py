"""Conversion of the raw folder to quotes, point in time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any, get_args

import numpy as np
import polars as pl
import pytest
from dvc.utils.hydra import compose_and_dump

from gogooku3 import config
from gogooku3.assembly.history import History
from gogooku3.config.quotes import Inputs, JQuantsQuotes, Rules, Segment
from gogooku3.errors import DataError
from gogooku3.quotes.folder import read, write
from gogooku3.quotes.schema import Quotes
from gogooku3.sources.jquants.codes import SEGMENTS
from gogooku3.sources.source import make
from gogooku3.stages import quotes as stage

from ...download.conftest import Run, contents
from ...jquants import Exchange, bar, issue

Params = Callable[..., JQuantsQuotes]

ROOT = Path(__file__).parents[3]

SHARES = [name for name in get_args(Segment) if name not in ("TOKYO PRO MARKET", "Others")]


@pytest.fixture
def params(folder: Path) -> Params:
    """Parameters of the raw folder; `rules` changes single policies."""

    def make(**changes: Any) -> JQuantsQuotes:
        policies = dict.fromkeys((field.name for field in fields(Rules)), "error") | changes.pop("rules", {})
        given: dict[str, Any] = {
            "source": "jquants",
            "inputs": Inputs(bars=str(folder), listed=str(folder), index=str(folder)),
            "start": date(2024, 1, 1),
            "end": date(2024, 12, 31),
            "segments": SHARES,
            "rules": Rules(**policies),
        }
        return JQuantsQuotes(**given | changes)

    return make


def closes(made: Quotes, code: str) -> list[float | None]:
    return made.bars.filter(Code=code)["Close"].to_list()


def test_a_bar_has_the_values_as_traded(exchange: Exchange, run: Run, params: Params) -> None:
    exchange.bars["2024-01-30"]["13010"] = bar(1.0, O=10.5, H=12.0, L=9.5, C=11.0, Vo=300.0, Va=3200.0, AdjC=5.5)
    run()
    made = make(params())
    assert made.bars.filter(Code="13010", Date=date(2024, 1, 30)).row(0, named=True) == {
        "Code": "13010",
        "Date": date(2024, 1, 30),
        "Open": 10.5,
        "High": 12.0,
        "Low": 9.5,
        "Close": 11.0,
        "Volume": 300.0,
        "TurnoverValue": 3200.0,
        "AdjustmentFactor": 1.0,
    }
    assert made.index.row(1) == (date(2024, 1, 30), 2501.0)
    assert made.oracle is None


def test_suspended_and_limit_locked_sessions_are_rows_without_a_bar(run: Run, params: Params) -> None:
    run()
    made = make(params())
    assert closes(made, "40010") == [600.0, 601.0, 602.0, None, None, None, 606.0]
    empty = made.bars.filter(pl.col("Code") == "40010", pl.col("Close").is_null())
    assert empty.select("Open", "High", "Low", "Volume", "TurnoverValue").null_count().row(0) == (3,) * 5
    assert made.listed.filter(Code="40010")["ListedTo"].to_list() == [None]
    assert made.report["untraded"] == 4  # and 13320 on its split
    assert made.report["rules"]["missing_value"]["count"] == 0


def test_bars_at_the_limit_and_stocks_that_cannot_be_borrowed_are_restricted(
    exchange: Exchange, run: Run, params: Params, tmp_path: Path
) -> None:
    """A close at the limit is restricted, and a limit that was left before the close is not."""
    at_limit = {"O": 100.0, "H": 110.0, "L": 90.0}
    exchange.bars["2024-01-30"]["13010"] = bar(1.0, **at_limit, C=110.0, UL="1")
    exchange.bars["2024-01-31"]["13010"] = bar(1.0, **at_limit, C=109.0, UL="1", LL="1")
    exchange.bars["2024-02-01"]["13010"] = bar(1.0, **at_limit, C=90.0, LL="1")
    for code, margin in (("20010", "1"), ("40010", None)):
        exchange.listed["2024-02-01"][code] = exchange.listed["2024-02-01"][code] | {"Mrgn": margin}
    run()
    made = make(params())
    assert made.restrictions is not None
    assert made.restrictions.rows() == [
        ("13010", date(2024, 1, 30), True, False, False),
        ("13010", date(2024, 2, 1), False, True, False),
        ("20010", date(2024, 2, 1), False, False, True),
    ]
    write(made, tmp_path)
    back = read(tmp_path).restrictions
    assert back is not None
    assert back.equals(made.restrictions)


def test_a_split_on_a_session_without_a_trade_still_counts(run: Run, params: Params, tmp_path: Path) -> None:
    run()
    made = make(params())
    factors = made.bars.filter(Code="13320")["AdjustmentFactor"].to_list()
    assert factors == [1.0, 1.0, 0.5, 1.0, 1.0, 1.0, 1.0]
    write(made, tmp_path)
    market = History.read(tmp_path).market()
    adjusted = market.close_TS[:, market.codes.index("13320")]
    np.testing.assert_array_equal(adjusted, [300.0, 301.0, np.nan, 606.0, 608.0, 610.0, 612.0])


def test_listings_and_delistings_are_those_of_the_daily_lists(run: Run, params: Params) -> None:
    run()
    made = make(params())
    assert made.listed.rows() == [
        ("13010", "Fishery, Agriculture & Forestry", "Prime", date(2024, 1, 29), None),
        ("13320", "Fishery, Agriculture & Forestry", "Standard", date(2024, 1, 29), None),
        ("20010", "Information & Communication", "Growth", date(2024, 2, 1), None),
        ("30010", "Electric Appliances", "Standard", date(2024, 1, 29), date(2024, 1, 31)),
        ("40010", "Chemicals", "Prime", date(2024, 1, 29), None),
        ("50010", "Services", "Growth", date(2024, 2, 2), None),
    ]
    assert made.bars["Code"].unique().sort().to_list() == made.listed["Code"].to_list()
    assert closes(made, "30010") == [500.0, 501.0, 502.0]
    assert made.report["listed"] == {
        "Sector33": {"unknown": 0, "changed": 1},
        "MarketSegment": {"unknown": 0, "changed": 0},
    }


def test_stocks_are_included_while_they_are_in_one_of_the_segments(run: Run, params: Params) -> None:
    run()
    made = make(params())
    assert made.bars.filter(Code="50010")["Date"].min() == date(2024, 2, 2)  # before, on TOKYO PRO MARKET
    assert "13060" not in made.listed["Code"]
    assert made.report["segments_left_out"] == {"Others": 1, "TOKYO PRO MARKET": 1}
    funds = make(params(segments=["Others", "Prime"]))
    assert funds.listed["Code"].to_list() == ["13010", "13060", "40010"]
    assert funds.listed["Sector33"].to_list()[1] == "Other"


def test_a_stock_temporarily_outside_the_segments_has_no_bars_but_keeps_its_splits(
    exchange: Exchange, run: Run, params: Params
) -> None:
    for day in ("2024-01-31", "2024-02-01"):
        exchange.listed[day]["13010"] = issue("0109")
    exchange.bars["2024-01-31"]["13010"]["AdjFactor"] = 0.2
    run()
    made = make(params())
    assert closes(made, "13010") == [100.0, 101.0, None, None, 104.0, 105.0, 106.0]
    assert made.bars.filter(Code="13010")["AdjustmentFactor"].to_list()[2] == 0.2


def test_bars_of_unlisted_issues_are_counted_and_excluded(exchange: Exchange, run: Run, params: Params) -> None:
    del exchange.listed["2024-01-30"]["13010"]
    run()
    made = make(params())
    assert closes(made, "13010")[:3] == [100.0, None, 102.0]
    assert made.report["unlisted"] == 1


def test_later_events_change_no_earlier_row(run: Run, params: Params) -> None:
    """A later reclassification, delisting, split or listing changes no row of the sessions before."""
    run()
    whole = make(params())
    for end in (date(2024, 1, 30), date(2024, 1, 31), date(2024, 2, 2), date(2024, 2, 5)):
        cut = make(params(end=end))
        assert cut.bars.equals(whole.bars.filter(pl.col("Date") <= end))
        assert cut.index.equals(whole.index.filter(pl.col("Date") <= end))
        known = cut.listed.select("Code", "Sector33", "MarketSegment", "ListedFrom")
        assert known.equals(whole.listed.select(known.columns).filter(pl.col("ListedFrom") <= end))


def test_a_later_download_changes_nothing_before_the_end(run: Run, params: Params, tmp_path: Path) -> None:
    given = params(end=date(2024, 2, 2))
    made = {}
    for last in ("2024-02-02", "2024-02-06"):
        run(last=last)
        write(make(given), tmp_path / last)
        made[last] = contents(tmp_path / last)
    assert made["2024-02-02"] == made["2024-02-06"]


def test_a_stored_correction_applies(exchange: Exchange, run: Run, params: Params) -> None:
    run()
    exchange.bars["2024-01-30"]["13010"]["C"] = 101.5
    run(again=True)
    assert closes(make(params()), "13010")[1] == 101.5


def test_a_trading_halt_is_not_a_session(exchange: Exchange, run: Run, params: Params) -> None:
    exchange.bars["2024-01-30"] = {code: bar(None) for code in exchange.bars["2024-01-30"]}
    del exchange.topix["2024-01-30"]
    run()
    assert make(params()).index["Date"].to_list()[:2] == [date(2024, 1, 29), date(2024, 1, 31)]


def test_sessions_outside_the_period_are_excluded(run: Run, params: Params) -> None:
    run()
    made = make(params(start=date(2024, 1, 30), end=date(2024, 2, 4)))
    assert (made.bars["Date"].min(), made.bars["Date"].max()) == (date(2024, 1, 30), date(2024, 2, 2))
    assert made.listed.filter(Code="13010")["ListedFrom"].item() == date(2024, 1, 30)
    assert made.listed.filter(Code="13010")["ListedTo"].item() is None


def test_a_bar_that_breaks_a_rule_is_refused_or_becomes_a_row_without_one(
    exchange: Exchange, run: Run, params: Params
) -> None:
    exchange.bars["2024-01-30"]["13010"].update(H=None)
    exchange.bars["2024-01-31"]["13010"].update(L=200.0, AdjFactor=0.5)
    run()
    with pytest.raises(DataError, match=r"missing_value: 1 rows(?s:.)*high_below_low: 1 rows"):
        make(params())
    dropped = dict.fromkeys(("missing_value", "high_below_low", "outside_range"), "drop")
    made = make(params(rules=dropped))
    assert closes(made, "13010")[:4] == [100.0, None, None, 103.0]
    assert made.bars.filter(Code="13010")["AdjustmentFactor"].to_list()[2] == 0.5
    assert made.report["rules"]["missing_value"]["dropped"] == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda e: e.listed["2024-01-30"]["13010"].update(Mkt="0199"), "in the market segments 0199, which gogooku3"),
        (lambda e: e.listed["2024-01-29"]["13010"].update(S33="7777"), "in the sectors 7777, which gogooku3"),
        (
            lambda e: e.bars["2024-01-30"]["13010"].update(AdjFactor=0.0),
            "adjustment factor 0.0 for 13010 on 2024-01-30",
        ),
        (lambda e: e.topix["2024-01-30"].update(C=None), "no positive close on 1 sessions, such as 2024-01-30"),
    ],
)
def test_invalid_values_are_refused(
    exchange: Exchange, run: Run, params: Params, change: Callable[[Exchange], None], said: str
) -> None:
    change(exchange)
    run()
    with pytest.raises(DataError, match=said):
        make(params())


def test_the_stage_converts_a_download_to_quotes(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the parameters of conf/, without a key and without the client."""
    run()
    settings = ["quotes=jquants", f"quotes.inputs.bars={folder}", "quotes.start=2024-01-29", "quotes.end=2024-02-06"]
    compose_and_dump(tmp_path / "params.yaml", str(ROOT / "conf"), None, "config", str(ROOT), settings)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JQUANTS_API_KEY")
    monkeypatch.setitem(sys.modules, "jquantsapi", None)
    stage.run(config.load())
    made = read(tmp_path / "data/quotes")
    assert made.bars["Code"].n_unique() == made.listed.height == 6
    assert made.index.height == 7
    assert list(made.report) == ["rules", "listed", "untraded", "unlisted", "segments_left_out"]


def test_too_few_months_or_stocks_are_refused(run: Run, params: Params) -> None:
    with pytest.raises(DataError, match="has no month from 2024-01-01 to 2024-12-31"):
        make(params())
    run()
    with pytest.raises(DataError, match="has no month from 2023-01-01 to 2023-12-31"):
        make(params(start=date(2023, 1, 1), end=date(2023, 12, 31)))
    with pytest.raises(DataError, match="has 1 stocks of Others from"):
        make(params(segments=["Others"]))
    with pytest.raises(DataError, match="has 0 stocks of Mothers from"):
        make(params(segments=["Mothers"]))


def test_every_segment_of_the_api_is_allowed_in_the_config() -> None:
    assert set(SEGMENTS.values()) == set(get_args(Segment))
