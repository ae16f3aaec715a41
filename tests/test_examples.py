"""The programs in examples/ run on a package and its bars."""

from __future__ import annotations

import json
import runpy
import threading
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

import gogooku3

from .serving.conftest import RELEASED, Market, market  # noqa: F401

EXAMPLES = Path(__file__).parents[1] / "examples"
FILES = sorted(path.stem for path in EXAMPLES.glob("*.py"))


def example(name: str) -> Any:
    return SimpleNamespace(**runpy.run_path(str(EXAMPLES / f"{name}.py")))


@pytest.fixture
def places(market: Market, tmp_path: Path) -> tuple[Path, Path, Path]:  # noqa: F811
    """The package, its parameters, and a folder of quotes."""
    package = market.release.package
    return package, package.parent / "params.yaml", market.until(RELEASED).write(tmp_path / "quotes")


def test_every_example_is_tested() -> None:
    assert FILES == ["backtest", "evening_job", "notebook", "service"]


def test_the_notebook_shows_the_best_stocks(places: tuple[Path, Path, Path]) -> None:
    best = example("notebook").main(*places)
    assert len(best) == 10
    assert best["score_1"].is_sorted(descending=True)


def test_the_backtest_gives_a_return_per_session(places: tuple[Path, Path, Path], market: Market) -> None:  # noqa: F811
    table = example("backtest").main(*places, str(market.days[RELEASED - 10]))
    assert table["Date"].to_list() == market.days[RELEASED - 10 : RELEASED - 2]
    assert table["excess"].is_finite().all()


def test_the_service_answers_from_memory_until_the_bars_change(places: tuple[Path, Path, Path], tmp_path: Path) -> None:
    package, params, quotes = places
    module = example("service")
    scores = module.Scores(gogooku3.load(package, params=params), quotes, tmp_path / "state")
    running = module.server(scores, 0)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{running.server_port}"
        with urllib.request.urlopen(f"{url}/scores") as response:
            rows = json.loads(response.read())
        last = pl.read_parquet(quotes / "bars.parquet")["Date"].max()
        assert {row["Date"] for row in rows} == {str(last)}
        scores.model = None  # what is known needs no model
        assert json.loads(scores.answer()) == rows
    finally:
        running.shutdown()
        running.server_close()


@pytest.mark.slow
def test_the_job_writes_orders_and_tells_by_its_exit_code_when_it_does_not(
    places: tuple[Path, Path, Path],
    market: Market,  # noqa: F811
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    package, params, quotes = places
    orders = tmp_path / "orders"
    options = ("--params", str(params), "--state", str(tmp_path / "state"), "--accept", "drift", "--date")
    job = example("evening_job")
    later = str(market.days[RELEASED + 8])
    assert job.main(str(package), str(quotes), orders, *options, later) == 3
    assert "failed: freshness: the bars run to" in capfd.readouterr().out
    assert [path.name for path in orders.iterdir()] == ["evening.html"]
    assert job.main(str(package), str(quotes), orders, *options, str(market.days[RELEASED - 1])) == 0
    written = pl.read_parquet(orders / "scores.parquet")
    document = json.loads((orders / "scores.json").read_text())
    assert (document["scores"]["rows"], document["scores"]["last"]) == (13, str(market.days[RELEASED - 1]))
    assert written["weight"].sum() == pytest.approx(0.0, abs=1e-12)
    assert 0 < written["weight"].abs().max() <= 0.05 + 1e-12  # `evaluation.portfolio.max_weight`
    page = (orders / "evening.html").read_text()
    assert "13 stocks ranked" in page
    assert all(code in page for code in written["Code"])
