"""A response that differs from the documentation is an error; nothing of its month is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gogooku3.errors import DataError
from gogooku3.sources.jquants.raw import RawFolder

from ...download.conftest import Run
from ...jquants import Answer, Exchange


def each(kind: str, change: Callable[[dict[str, Any]], object]) -> Callable[[Exchange], None]:
    """Changes every row of a kind on the last session of January."""

    def apply(exchange: Exchange) -> None:
        of_day = getattr(exchange, kind)["2024-01-31"]
        for row in [of_day] if kind == "topix" else of_day.values():
            change(row)

    return apply


def one(kind: str, **values: Any) -> Callable[[Exchange], None]:
    """Changes one row of a kind on the last session of January."""

    def apply(exchange: Exchange) -> None:
        of_day = getattr(exchange, kind)["2024-01-31"]
        (of_day if kind == "topix" else of_day["13010"]).update(values)

    return apply


def answered(path: str, body: str | dict[str, Any]) -> Callable[[Exchange], None]:
    def apply(exchange: Exchange) -> None:
        exchange.faults.append(lambda request: Answer(200, body) if request.path == path else None)

    return apply


def renamed(row: dict[str, Any]) -> None:
    row["Factor"] = row.pop("AdjFactor")


def twice(exchange: Exchange) -> None:
    """A duplicate page."""
    rows = [{"Date": "2024-01-31", "Code": code} | row for code, row in exchange.bars["2024-01-31"].items()]
    exchange.faults.append(
        lambda request: Answer(200, {"data": [*rows, rows[0]]}) if request.query.get("date") == "2024-01-31" else None
    )


DAILY, MASTER, CALENDAR = "/v2/equities/bars/daily", "/v2/equities/master", "/v2/markets/calendar"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (each("bars", lambda row: row.pop("AdjFactor")), "the bars of 2024-01-31 lack `AdjFactor`"),
        (each("bars", renamed), "lack `AdjFactor`; the renamed columns may be among `AdjO`"),
        (each("bars", renamed), "`Factor`"),
        (one("bars", C="102"), "in the bars of 2024-01-31, `C` has '102', not a number"),
        (one("bars", C=True), "`C` has True, not a number"),
        (one("bars", UL=1), "`UL` has 1, not a string"),
        (one("bars", Date="n/a"), "`Date` has no value, not a date"),
        (one("bars", Date="2024-01-30"), "the bars of 2024-01-31 are of 2024-01-30"),
        (one("bars", Date="2024-02-01"), "the bars of 2024-01-31 are of 2024-02-01"),
        (one("listed", Date="2024-01-30"), "the listing of 2024-01-31 are of 2024-01-30"),
        (one("listed", Date="2024-02-01"), "the listing of 2024-01-31 are of 2024-02-01"),
        (one("bars", Code=None), "`Code` has no value, not a string"),
        (one("bars", Code=13010), "`Code` has 13010, not a string"),
        (twice, "the bars of 2024-01-31 have 2 rows with a duplicate key, such as 2024-01-31, 13010"),
        (
            each("listed", lambda row: row.pop("S33")),
            "its client cannot read the listing of 2024-01-31: \"['S33'] not in index\"",
        ),
        (one("listed", Mkt=None), "in the listing of 2024-01-31, `Mkt` has no value, not a string"),
        (one("topix", C="2500"), "in TOPIX from 2024-01-29 to 2024-01-31, `C` has '2500', not a number"),
        (answered(CALENDAR, {"data": [{"Date": "2024-01-29", "Division": "1"}]}), "lack `HolDiv`"),
        (answered(DAILY, "<html>"), "the bars of 2024-01-29 are not JSON"),
        (answered(DAILY, "[]"), "its client cannot read the bars of 2024-01-29: 'list' object"),
        (answered(MASTER, {"data": ["13010"]}), "its client cannot read the listing of 2024-01-29"),
    ],
)
def test_a_response_that_differs_from_the_documentation_is_refused(
    exchange: Exchange, run: Run, folder: Path, change: Callable[[Exchange], None], said: str
) -> None:
    change(exchange)
    with pytest.raises(DataError) as caught:
        run()
    assert "the response of J-Quants differs from its documentation: " in caught.value.message
    assert said in caught.value.message
    assert "https://jpx-jquants.com/en/spec" in caught.value.hint
    assert list(folder.iterdir()) == []


def test_new_columns_change_nothing(exchange: Exchange, run: Run, folder: Path) -> None:
    run(last="2024-01-31")
    first = RawFolder(folder).read("bars", "2024-01")
    for day in exchange.bars.values():
        for row in day.values():
            row["New"] = {"of": "any kind"}
    assert run(last="2024-01-31", again=True) == []
    assert RawFolder(folder).read("bars", "2024-01").equals(first)


def test_numbers_may_be_integers_or_missing(exchange: Exchange, run: Run, folder: Path) -> None:
    one("bars", O=100, Va=None, AdjFactor=None, LL=None)(exchange)
    run()
    row = RawFolder(folder).read("bars", "2024-01").filter(Code="13010").row(-1, named=True)
    assert (row["O"], row["Va"], row["AdjFactor"], row["LL"]) == (100.0, None, None, None)
