"""Evenings: the scores are bitwise those of a rebuild, and what happened in the market is reported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gogooku3.assembly.build import build
from gogooku3.config import Params
from gogooku3.config.model import Model
from gogooku3.evaluation.weights import score_weights
from gogooku3.package.predict import predict
from gogooku3.serving.bars import BarFiles
from gogooku3.serving.evening import Evening, run
from gogooku3.serving.finding import Finding

from ..assembly.conftest import Frames, real  # noqa: F401
from .conftest import NATIVE, RELEASED, Market, release

Rebuilt = Callable[[Frames, date], pl.DataFrame]
Given = Callable[[Frames], BarFiles]
ALL = ("freshness", "coverage", "scores", "drift")


def found(evening: Evening, name: str) -> Finding:
    return next(finding for finding in evening.findings if finding.name == name)


def score(market: Market, files: BarFiles, state: Path, day: date, first: date | None = None) -> Evening:
    """An evening whose scores are written."""
    done, kept, history, hashes = run(market.release, files, state, day, first, ALL)
    kept.write(history, hashes, done.frame.drop("weight"))
    return done


def change(frames: Frames, day: date, code: str, **values: pl.Expr) -> Frames:
    at = (pl.col("Date") == day) & (pl.col("Code") == code)
    return frames.with_bars(
        frames.bars.with_columns(
            pl.when(at).then(value).otherwise(pl.col(name)).alias(name) for name, value in values.items()
        )
    )


def split(frames: Frames, day: date, code: str) -> Frames:
    """Two for one: all prices from the day on are halved."""
    later = (pl.col("Date") >= day) & (pl.col("Code") == code)
    prices = pl.col("Open", "High", "Low", "Close")
    halved = pl.when(later).then(prices / 2).otherwise(prices)
    return change(frames.with_bars(frames.bars.with_columns(halved)), day, code, AdjustmentFactor=pl.lit(0.5))


def without(frames: Frames, code: str, *, before: date | None = None, after: date | None = None) -> Frames:
    """A stock that is listed on one day, or delisted after another."""
    kept = (pl.col("Code") != code) | (pl.col("Date") >= before if before else pl.col("Date") <= after)
    return frames.with_bars(frames.bars.filter(kept))


def eventful(market: Market) -> tuple[Frames, dict[str, date]]:
    """The market with a split, a new listing and a delisting in the first three evenings after the release."""
    days = {name: market.days[RELEASED + number] for number, name in enumerate(("split", "new", "gone"))}
    frames = split(market.frames, days["split"], "1308")
    frames = without(frames, "1315", before=days["new"])
    frames = without(frames, "1322", after=days["new"])
    ended = pl.when(pl.col("Code") == "1322").then(pl.lit(days["new"])).otherwise(pl.col("ListedTo")).alias("ListedTo")
    return replace(frames, listed=frames.listed.with_columns(ended)), days


@pytest.mark.parametrize("evenings", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_every_evening_is_bitwise_a_rebuild_and_tells_what_happened(
    evenings: int, market: Market, given: Given, rebuilt: Rebuilt, tmp_path: Path
) -> None:
    frames, days = eventful(market)
    score(market, given(frames.until(market.days[RELEASED - 1])), tmp_path / "state", market.days[RELEASED - 1])
    revised = market.days[RELEASED - 12]
    for number in range(evenings):
        day = market.days[RELEASED + number]
        if number == 3:  # the source corrects a past bar
            frames = change(frames, revised, "1301", Close=pl.col("Low"))
        known = frames.until(day)
        done = score(market, given(known), tmp_path / "state", day)
        expected = rebuilt(known, day)
        assert done.frame.drop("weight").equals(expected), day
        assert done.frame["Date"].unique().to_list() == [day]
        assert {name for name in ("model", "freshness", "scores") if found(done, name).level != "passed"} == set()
        assert found(done, "splits").level == ("noted" if day == days["split"] else "passed")
        assert found(done, "listings").level == ("noted" if day in (days["new"], days["gone"]) else "passed")
        if day == days["split"]:
            assert f"1308 × 0.5 on {day}" in found(done, "splits").found
        if day == days["new"]:
            assert found(done, "listings").details == ({"change": "new", "code": "1315"},)
        if day == days["gone"]:
            assert found(done, "listings").details == ({"change": "delisted", "code": "1322"},)
        if number == 3:
            (detail,) = found(done, "revisions").details
            assert (detail["Date"], detail["Code"], detail["column"]) == (str(revised), "1301", "Close")
            assert found(done, "revisions").level == "warning"
        else:
            assert found(done, "revisions").level == "passed"


@pytest.mark.slow
def test_evenings_of_real_bars_are_bitwise_a_rebuild(
    real: Frames,  # noqa: F811
    demo: Params,
    small: Model,
    given: Given,
    tmp_path: Path,
) -> None:
    days = real.bars["Date"].unique().sort().to_list()
    market = release(real.until(days[RELEASED + 19]), tmp_path / "release", demo, small)
    for day in market.days[RELEASED : RELEASED + 20]:
        known = real.until(day)
        done = score(market, given(known), tmp_path / "state", day)
        build(known.history(), market.params.dataset, tmp_path / "rebuilt")
        expected = predict(market.release.package, tmp_path / "rebuilt", NATIVE, day).frame
        assert done.frame.drop("weight").equals(expected), day
        assert len(expected) > 40


def test_a_late_session_shifts_the_graphs_and_is_told(
    market: Market, given: Given, rebuilt: Rebuilt, tmp_path: Path
) -> None:
    late, last = market.days[RELEASED - 5], market.days[RELEASED]
    known = market.until(RELEASED)
    missing = replace(known, bars=known.bars.filter(pl.col("Date") != late))
    score(market, given(missing), tmp_path / "state", market.days[RELEASED - 1])
    done = score(market, given(market.until(RELEASED + 1)), tmp_path / "state", last)
    assert found(done, "revisions").level == "warning"
    assert f"1 session came late: {late}" in found(done, "revisions").found
    assert done.frame.drop("weight").equals(rebuilt(market.until(RELEASED + 1), last))


def test_several_sessions_and_the_portfolios_weights(
    market: Market, given: Given, rebuilt: Rebuilt, tmp_path: Path
) -> None:
    first, last = market.days[RELEASED - 40], market.days[RELEASED - 1]
    done = score(market, given(market.until(RELEASED)), tmp_path / "state", last, first)
    expected = rebuilt(market.until(RELEASED), first)
    assert done.frame.drop("weight").equals(expected)
    portfolio = market.params.evaluation.portfolio
    of_last = expected.filter(pl.col("Date") == last).sort("Code")
    sectors = dict(market.frames.listed.select("Code", "Sector33").iter_rows())
    scores_1S = of_last[f"score_{portfolio.horizon}"].to_numpy()[None]
    weights_1S = score_weights(scores_1S, [sectors[code] for code in of_last["Code"]], portfolio)
    written = done.frame.filter(pl.col("Date") == last).sort("Code")["weight"].to_numpy()
    np.testing.assert_allclose(written, weights_1S[0], atol=1e-15)
    (kept,) = (tmp_path / "state").rglob("scores/*.parquet")  # the last session alone: others are not live
    assert pl.read_parquet(kept).equals(of_last)
    assert abs(written.sum()) < 1e-12


def test_an_evening_computes_only_the_new_session(market: Market, given: Given, tmp_path: Path) -> None:
    """The features of sessions that are kept are not written again."""

    def inodes() -> dict[str, int]:
        return {path.stem: path.stat().st_ino for path in (tmp_path / "state").rglob("whole/features/*.parquet")}

    score(market, given(market.until(RELEASED)), tmp_path / "state", market.days[RELEASED - 1])
    before = inodes()
    score(market, given(market.until(RELEASED + 1)), tmp_path / "state", market.days[RELEASED])
    after = inodes()
    assert {day for day, inode in after.items() if before.get(day) != inode} == {str(market.days[RELEASED])}
    assert len(after) < 64  # older sessions are removed


def test_an_incomplete_or_stale_evening_is_refused_unless_it_is_accepted(
    market: Market, given: Given, tmp_path: Path
) -> None:
    last = market.days[RELEASED - 1]
    few = market.until(RELEASED).bars.filter((pl.col("Date") < last) | (pl.col("Code") < "1329"))
    files = given(market.until(RELEASED).with_bars(few))
    tuesday_after_next = market.days[RELEASED + 6]
    done, *_ = run(market.release, files, tmp_path / "state", tuesday_after_next)
    assert [(each.name, each.exit_code) for each in done.refused][:2] == [("freshness", 3), ("coverage", 3)]
    assert "7 sessions" in found(done, "freshness").found
    accepted, *_ = run(market.release, files, tmp_path / "state", tuesday_after_next, accepted=ALL)
    assert accepted.refused == ()


def test_a_price_that_halves_without_a_factor_is_told(market: Market, given: Given, tmp_path: Path) -> None:
    last = market.days[RELEASED - 1]
    halved = {name: pl.col(name) / 2 for name in ("Open", "High", "Low", "Close")}
    done, *_ = run(
        market.release, given(change(market.until(RELEASED), last, "1308", **halved)), tmp_path / "state", last
    )
    assert found(done, "splits").level == "warning"
    assert found(done, "splits").details[0]["code"] == "1308"
