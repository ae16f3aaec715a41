"""A small exchange behind a server that answers as J-Quants documents it (API v2), with faults for chosen requests."""

from __future__ import annotations

import json
import threading
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "a-key-that-nobody-may-see-7f3a"

Row = dict[str, Any]

ISSUES = ("13010", "13060", "13320", "20010", "30010", "40010", "50010")


def bar(close: float | None, **changes: Any) -> Row:
    """A row of `/equities/bars/daily` without date and code, with all documented columns of the plans below Premium."""
    traded = close is not None
    prices = (close, close + 2.0, close - 2.0, close) if traded else (None,) * 4
    volume, value = (1000.0, 1000.0 * close) if traded else (None, None)
    row = dict(zip(("O", "H", "L", "C"), prices, strict=True)) | {"UL": "0", "LL": "0", "Vo": volume, "Va": value}
    row |= {"AdjFactor": 1.0} | dict(zip(("AdjO", "AdjH", "AdjL", "AdjC"), prices, strict=True)) | {"AdjVo": volume}
    return row | {"MktCap": None, "ExRT": None} | changes


def issue(segment: str = "0111", sector: str = "0050", **changes: Any) -> Row:
    """A row of `/equities/master` without date and code, with all documented columns."""
    return {
        "CoName": "株式会社",
        "CoNameEn": "Company",
        "S17": "1",
        "S17Nm": "食品",
        "S33": sector,
        "S33Nm": "水産・農林業",
        "ScaleCat": "TOPIX Small 1",
        "Mkt": segment,
        "MktNm": "プライム",
        "Mrgn": "2",
        "MrgnNm": "貸借",
        "ProdCat": "011",
    } | changes


@dataclass(frozen=True)
class Request:
    """A request as it arrives: `number` counts all of them from 1, `attempt` those for the same thing."""

    number: int
    attempt: int
    path: str
    query: dict[str, str]


@dataclass(frozen=True)
class Answer:
    """What is answered in place of the data; `body` as it stands, or a dictionary as JSON."""

    status: int
    body: str | dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)
    sent: float = 1.0
    """The part of the body that is sent before the connection is closed."""
    stall: bool = False
    """Whether nothing is ever answered."""


Fault = Callable[[Request], Answer | None]


def refusal(status: int, message: str, **headers: str) -> Answer:
    return Answer(status, {"message": message}, {name.replace("_", "-"): value for name, value in headers.items()})


@dataclass
class Exchange:
    """What is published: per session the rows by code, and TOPIX. Days without bars are no sessions."""

    address: str = ""
    bars: dict[str, dict[str, Row]] = field(default_factory=dict)
    listed: dict[str, dict[str, Row]] = field(default_factory=dict)
    topix: dict[str, Row] = field(default_factory=dict)
    holidays: dict[str, str] = field(default_factory=dict)
    """Divisions of the calendar, of days that are neither sessions nor plain holidays."""
    page: int = 2
    """Rows of bars in one page."""
    faults: list[Fault] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    key: str = KEY
    _attempts: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    ended: threading.Event = field(default_factory=threading.Event)

    def publish(self, day: str, bars: dict[str, Row], listed: dict[str, Row], topix: float | None) -> None:
        """Publishes a session; without a TOPIX where it is None."""
        self.bars[day], self.listed[day] = bars, listed
        if topix is not None:
            self.topix[day] = dict.fromkeys(("O", "H", "L", "C"), topix)

    def asked(self, path: str) -> int:
        """How often a path was asked for."""
        return sum(request.path == path for request in self.requests)

    def answer(self, target: str, key: str | None) -> Answer:
        """Counts a request and answers it."""
        url = urllib.parse.urlsplit(target)
        with self._lock:
            self._attempts[target] += 1
            query = dict(urllib.parse.parse_qsl(url.query))
            request = Request(len(self.requests) + 1, self._attempts[target], url.path, query)
            self.requests.append(request)
        fault = next((answer for fault in self.faults if (answer := fault(request))), None)
        if fault is not None:
            return fault
        if key != self.key:
            return refusal(403, "The api key is invalid or expired.")
        return Answer(200, self._data(request))

    def _data(self, request: Request) -> dict[str, Any]:
        query = request.query
        if request.path == "/v2/equities/bars/daily":
            rows = [{"Date": query["date"], "Code": code} | row for code, row in self._rows(self.bars, query)]
            start = int(query.get("pagination_key", "0"))
            more = {"pagination_key": str(start + self.page)} if start + self.page < len(rows) else {}
            return {"data": rows[start : start + self.page]} | more
        if request.path == "/v2/equities/master":
            return {
                "data": [{"Date": query["date"], "Code": code} | row for code, row in self._rows(self.listed, query)]
            }
        if request.path == "/v2/indices/bars/daily/topix":
            days = [day for day in sorted(self.topix) if query["from"] <= day <= query["to"]]
            return {"data": [{"Date": day} | self.topix[day] for day in days]}
        assert request.path == "/v2/markets/calendar", request.path
        first, last = date.fromisoformat(query["from"]), date.fromisoformat(query["to"])
        every = [str(first + timedelta(days=number)) for number in range((last - first).days + 1)]
        return {"data": [{"Date": day, "HolDiv": self._division(day)} for day in every]}

    def _rows(self, published: dict[str, dict[str, Row]], query: dict[str, str]) -> list[tuple[str, Row]]:
        return list(published.get(query["date"], {}).items())

    def _division(self, day: str) -> str:
        return self.holidays.get(day, "1" if day in self.bars else "0")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that went away is no news."""


@contextmanager
def serving(exchange: Exchange) -> Iterator[Exchange]:
    """The exchange with its address, as long as the context lasts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            answer = exchange.answer(self.path, self.headers.get("x-api-key"))
            if answer.stall:
                exchange.ended.wait()
                return
            body = (answer.body if isinstance(answer.body, str) else json.dumps(answer.body)).encode()
            self.send_response(answer.status)
            for name, value in ({"Content-Type": "application/json"} | answer.headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: int(len(body) * answer.sent)])
            self.close_connection = answer.sent < 1

        def log_message(self, *_: object) -> None:
            pass

    with _Server(("127.0.0.1", 0), Handler) as server:
        exchange.address = f"http://127.0.0.1:{server.server_address[1]}/v2"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield exchange
        finally:
            exchange.ended.set()
            server.shutdown()
            thread.join()


def small() -> Exchange:
    """Seven sessions over the end of January 2024, and what can befall a stock.

    13010 trades; 13320 splits two for one on a day without a trade; 20010 is listed on February 1; 30010 leaves after
    January 31; 40010 is suspended on February 1 and 2, and on February 5 sits at its upper limit without a trade;
    50010 moves from TOKYO PRO MARKET to Growth on February 2, and changes its sector on February 6; 13060 is an ETF.
    """
    exchange = Exchange(holidays={"2024-02-12": "3"})
    days = ("2024-01-29", "2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02", "2024-02-05", "2024-02-06")
    for number, day in enumerate(days):
        bars = {code: bar(100.0 * place + number) for place, code in enumerate(ISSUES, start=1)}
        listed = {
            "13010": issue(),
            "13060": issue("0109", "9999", ProdCat="014"),
            "13320": issue("0112"),
            "20010": issue("0113", "5250"),
            "30010": issue("0112", "3650"),
            "40010": issue(sector="3200"),
            "50010": issue("0113" if day >= "2024-02-02" else "0105", "6100" if day >= "2024-02-06" else "9050"),
        }
        if day == "2024-01-31":
            bars["13320"] = bar(None, AdjFactor=0.5)
        if day < "2024-02-01":
            del bars["20010"], listed["20010"]
        if day > "2024-01-31":
            del bars["30010"], listed["30010"]
        if day in ("2024-02-01", "2024-02-02"):
            bars["40010"] = bar(None)
        if day == "2024-02-05":
            bars["40010"] = bar(None, UL="1")
        exchange.publish(day, bars, listed, 2500.0 + number)
    return exchange
