"""Published sessions are stored once; corrections are stored next to them as revisions."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from gogooku3.download.download import today
from gogooku3.errors import ConfigError, DataError, SourceError
from gogooku3.sources.jquants.raw import RawFolder
from gogooku3.sources.jquants.responses import BARS, LISTED

from ..jquants import ISSUES, Answer, Exchange, Request, bar, issue, refusal
from .conftest import Run, contents

BARS_PATH, LISTED_PATH = "/v2/equities/bars/daily", "/v2/equities/master"
JANUARY, FEBRUARY = ("2024-01-29", "2024-01-30", "2024-01-31"), ("2024-02-01", "2024-02-02", "2024-02-05", "2024-02-06")


def days(added: object) -> list[str]:
    return [str(day) for day in added.sessions]  # type: ignore[attr-defined]


def test_months_have_the_rows_of_all_pages(exchange: Exchange, run: Run, folder: Path) -> None:
    january, february = run()
    assert (january.month, days(january), february.month, days(february)) == (
        "2024-01",
        [*JANUARY],
        "2024-02",
        [*FEBRUARY],
    )
    assert exchange.asked(BARS_PATH) == 7 * 3  # six issues a session, two to a page
    raw = RawFolder(folder)
    for kind, published, columns in (("bars", exchange.bars, BARS), ("listed", exchange.listed, LISTED)):
        expected = [
            {"Date": day, "Code": code} | row for day in JANUARY for code, row in sorted(published[day].items())
        ]
        rows = raw.read(kind, "2024-01").with_columns(pl.col("Date").dt.to_string("iso"))  # type: ignore[arg-type]
        assert rows.to_dicts() == [{name: row[name] for name in columns} for row in expected]
    topix = raw.read("topix", "2024-02").with_columns(pl.col("Date").dt.to_string("iso"))
    assert topix.to_dicts() == [{"Date": day} | exchange.topix[day] for day in FEBRUARY]


def test_split_adjusted_columns_are_not_stored(exchange: Exchange, run: Run, folder: Path) -> None:
    """J-Quants readjusts the whole past after each split: that is no correction, and changes no byte."""
    run()
    before = contents(folder)
    for rows in exchange.bars.values():
        for row in rows.values():
            row.update(AdjC=1.0, AdjVo=2.0, MktCap=3.0)
    assert run(again=True) == []
    assert contents(folder) == before


def test_the_same_exchange_gives_the_same_bytes(exchange: Exchange, run: Run, folder: Path, tmp_path: Path) -> None:
    run()
    once = contents(folder)
    folder.rename(tmp_path / "other")
    exchange.page = 3
    run()
    assert contents(folder) == once


def test_a_second_run_fetches_only_missing_sessions_and_touches_no_file(
    exchange: Exchange, run: Run, folder: Path
) -> None:
    run(last="2024-02-02")
    before = contents(folder)
    exchange.requests.clear()
    assert run(last="2024-02-02") == []
    assert [request.path for request in exchange.requests] == ["/v2/markets/calendar"]

    (added,) = run()
    assert (added.month, added.revision, days(added)) == ("2024-02", 2, ["2024-02-05", "2024-02-06"])
    assert exchange.asked(LISTED_PATH) == 2
    after = contents(folder)
    before.pop("manifest.json")
    assert before.items() <= after.items()
    assert [str(day) for day in RawFolder(folder).sessions("2024-02")] == [*FEBRUARY]
    assert RawFolder(folder).read("bars", "2024-02").height == 4 * 6


def test_a_correction_is_reported_and_stored_next_to_the_original(exchange: Exchange, run: Run, folder: Path) -> None:
    run()
    before = contents(folder)
    exchange.bars["2024-01-30"]["13010"]["C"] = 111.5
    exchange.bars["2024-02-01"]["60010"] = bar(5.0)
    exchange.listed["2024-02-01"]["60010"] = issue()
    del exchange.bars["2024-02-05"]["13010"]
    exchange.topix["2024-02-02"]["H"] = 2600.0
    assert run() == []  # nobody asked again

    january, february = run(again=True)
    assert (january.revision, days(january)) == (2, [])
    assert [str(one) for one in january.corrects] == ["bars of 2024-01-30: 1 changed (13010 C 101.0 → 111.5)"]
    assert [str(one) for one in february.corrects] == [
        "bars of 2024-02-01: 1 added (60010 added)",
        "bars of 2024-02-05: 1 removed (13010 removed)",
        "listed of 2024-02-01: 1 added (60010 added)",
        "topix of 2024-02-02: 1 changed (TOPIX H 2504.0 → 2600.0)",
    ]
    after = contents(folder)
    assert {name for name in after if name not in before} == {
        "bars/2024-01.2.parquet",
        "bars/2024-02.2.parquet",
        "listed/2024-02.2.parquet",
        "topix/2024-02.2.parquet",
    }
    assert all(after[name] == content for name, content in before.items() if name != "manifest.json")

    raw = RawFolder(folder)
    assert raw.read("bars", "2024-01").filter(Code="13010")["C"].to_list() == [100.0, 111.5, 102.0]
    assert raw.read("bars", "2024-02").filter(Code="13010").height == 3
    assert raw.read("listed", "2024-02").filter(Code="60010").height == 1
    old = pl.read_parquet(folder / "bars/2024-01.1.parquet")
    assert old.filter(Code="13010")["C"].to_list() == [100.0, 101.0, 102.0]
    assert run(again=True) == []


def test_a_correction_can_be_corrected(exchange: Exchange, run: Run, folder: Path) -> None:
    for close in (100.0, 101.0, 100.0):
        exchange.bars["2024-01-29"]["13010"]["C"] = close
        run(again=True)
    raw = RawFolder(folder)
    assert raw.read("bars", "2024-01").filter(Code="13010")["C"][0] == 100.0
    told = [str(correction) for revision in raw.months["2024-01"] for correction in revision.corrects]
    assert told == [
        "bars of 2024-01-29: 1 changed (13010 C 100.0 → 101.0)",
        "bars of 2024-01-29: 1 changed (13010 C 101.0 → 100.0)",
    ]


def test_a_correction_of_topix_alone_touches_neither_bars_nor_listing(
    exchange: Exchange, run: Run, folder: Path
) -> None:
    run()
    exchange.topix["2024-01-29"]["C"] = 1.0
    exchange.topix.pop("2024-01-30")
    exchange.bars["2024-01-30"] = {code: bar(None) for code in exchange.bars["2024-01-30"]}
    (added,) = run(last="2024-01-31", again=True)
    assert [correction.kind for correction in added.corrects] == ["bars", "topix", "topix"]
    exchange.topix["2024-01-29"]["C"] = 2.0
    run(last="2024-01-31", again=True)
    raw = RawFolder(folder)
    assert [sorted(revision.files) for revision in raw.months["2024-01"]] == [
        ["bars", "listed", "topix"],
        ["bars", "topix"],
        ["topix"],
    ]
    assert raw.read("topix", "2024-01")["C"].to_list() == [2.0, 2502.0]
    assert [str(day) for day in raw.sessions("2024-01")] == [*JANUARY]
    assert run(again=True) == []


def test_one_run_adds_new_and_corrected_sessions(exchange: Exchange, run: Run, folder: Path) -> None:
    run(last="2024-02-02")
    exchange.bars["2024-02-01"]["13010"]["Vo"] = 7.0
    (added,) = run(first="2024-02-01", again=True)
    assert (days(added), len(added.corrects)) == (["2024-02-05", "2024-02-06"], 1)
    rows = RawFolder(folder).read("bars", "2024-02").filter(Code="13010")
    assert rows["Vo"].to_list() == [7.0, 1000.0, 1000.0, 1000.0]


def test_a_session_that_is_not_published_yet_is_left_for_the_next_run(
    exchange: Exchange, run: Run, folder: Path, messages: list[str]
) -> None:
    """Bars, listing and TOPIX come at different times of the day."""
    run()
    now = str(today())
    exchange.publish(now, {}, {}, None)
    for bars, listed in (({}, {}), ({"13010": bar(1.0)}, {}), ({"13010": bar(1.0)}, {"13010": issue()})):
        exchange.bars[now], exchange.listed[now] = bars, listed
        assert run(first="2024-02-07", last=now) == []
        assert messages == [f"{now} is not published yet"]
        messages.clear()
    exchange.publish(now, {"13010": bar(1.0)}, {"13010": issue()}, 2500.0)
    (added,) = run(first="2024-02-07", last="2100-01-01")
    assert days(added) == [now]


@pytest.mark.parametrize(("kind", "missing"), [("bars", "bars"), ("listed", "listed"), ("topix", "topix")])
def test_a_past_session_without_data_is_an_error_and_earlier_months_are_kept(
    exchange: Exchange, run: Run, folder: Path, kind: str, missing: str
) -> None:
    published = getattr(exchange, kind)
    kept = published.pop("2024-02-02")
    exchange.holidays["2024-02-02"] = "1"
    with pytest.raises(DataError, match=f"no .*{missing}.* for 2024-02-02, which is a session in its calendar"):
        run()
    assert list(RawFolder(folder).months) == ["2024-01"]
    published["2024-02-02"] = kept
    (added,) = run(first="2024-02-01")
    assert days(added) == [*FEBRUARY]


def test_a_session_with_a_trading_halt_needs_no_topix(exchange: Exchange, run: Run, folder: Path) -> None:
    """As on 2020-10-01, when the exchange's system failed."""
    exchange.bars["2024-01-30"] = {code: bar(None) for code in exchange.bars["2024-01-30"]}
    del exchange.topix["2024-01-30"]
    run()
    raw = RawFolder(folder)
    assert [str(day) for day in raw.sessions("2024-01")] == [*JANUARY]
    assert raw.read("topix", "2024-01").height == 2
    assert run(again=True) == []


def test_a_holiday_with_derivatives_trading_is_no_session(run: Run, folder: Path, messages: list[str]) -> None:
    run(last="2024-02-13")
    assert RawFolder(folder).sessions("2024-02")[-1].isoformat() == "2024-02-06"
    assert messages == []


def test_half_days_are_sessions(exchange: Exchange, run: Run) -> None:
    exchange.holidays["2024-01-30"] = "2"
    assert days(run()[0]) == [*JANUARY]


def test_the_folder_also_grows_backwards_and_never_has_a_gap(exchange: Exchange, run: Run, folder: Path) -> None:
    run(first="2024-02-02", last="2024-02-05")
    with pytest.raises(ConfigError, match=r"gap of 1 sessions, 2024-02-01 to 2024-02-01(?s:.)*`--to 2024-02-01`"):
        run(last="2024-01-31")
    with pytest.raises(ConfigError, match=r"gap of 1 sessions, 2024-02-06 to 2024-02-06(?s:.)*`--from 2024-02-06`"):
        run(first="2024-02-07", last="2024-02-13")

    def stop(request: Request) -> Answer | None:
        return refusal(400, "no more") if request.query.get("date") == "2024-01-30" else None

    exchange.faults.append(stop)
    with pytest.raises(SourceError, match="no more"):
        run()
    span = RawFolder(folder).span
    assert span is not None
    assert [str(day) for day in span] == ["2024-02-01", "2024-02-06"]  # back from there, not on from the beginning
    exchange.faults.clear()
    assert [added.month for added in run()] == ["2024-01"]
    raw = RawFolder(folder)
    assert [len(raw.sessions(month)) for month in raw.months] == [3, 4]


def test_the_past_is_fetched_though_today_is_not_published(exchange: Exchange, run: Run, folder: Path) -> None:
    now = str(today())
    exchange.publish(now, {}, {}, None)
    run(first="2024-02-05")
    assert [added.month for added in run(last=now)] == ["2024-02", "2024-01"]


def test_every_issue_is_stored(run: Run, folder: Path) -> None:
    run()
    raw = RawFolder(folder)
    codes = pl.concat([raw.read("bars", month) for month in raw.months])["Code"].unique().sort()
    assert codes.to_list() == [*ISSUES]
