"""The live RankIC of past evenings is that of their scores and the returns since."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.stats import spearmanr

from gogooku3.errors import DataError
from gogooku3.serving.track import Live, track

from .conftest import RELEASED, Market


def test_the_live_rank_ic_is_spearmans_correlation_with_the_returns_since(market: Market, tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    codes = market.frames.bars["Code"].unique().sort()
    evenings = [RELEASED - 30, RELEASED - 29, RELEASED - 27, RELEASED - 1]
    for number in evenings:
        day = market.days[number]
        scores = {f"score_{h}": random.standard_normal(len(codes)).astype(np.float32) for h in (1, 5)}
        frame = pl.DataFrame({"Date": [day] * len(codes), "Code": codes, **scores})
        frame.write_parquet(tmp_path / f"{day}.parquet")
    known = market.until(RELEASED)
    found = {each.horizon: each for each in track(tmp_path, known.history(), market.release.package, (1, 5))}
    close_TS = known.bars.sort("Date", "Code")["Close"].to_numpy().reshape(RELEASED, len(codes))
    for horizon, live in found.items():
        expected = []
        for number in evenings[:3]:  # the return after the last evening is not known
            scores_S = pl.read_parquet(tmp_path / f"{market.days[number]}.parquet")[f"score_{horizon}"]
            expected.append(spearmanr(scores_S, close_TS[number + horizon] / close_TS[number]).statistic)
        assert live.sessions == 3
        assert live.live["value"] == pytest.approx(np.mean(expected), abs=1e-12)
        assert live.promised == {"value": 0.03, "low": -1.0, "high": 1.0}
    assert (found[1].verdict, found[5].verdict) == ("as promised", "too early")


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.0, 0.04, "worse"), (0.04, 0.06, "as promised"), (0.08, 0.2, "better"), (None, None, "too early")],
)
def test_intervals_decide(low: float | None, high: float | None, verdict: str) -> None:
    promised = {"value": 0.06, "low": 0.05, "high": 0.07}
    assert Live(1, 40, {"value": 0.02, "low": low, "high": high}, promised).verdict == verdict


def test_without_evenings_there_is_nothing_to_compare(market: Market, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no past evening"):
        track(tmp_path, market.until(RELEASED).history(), market.release.package, (1,))
