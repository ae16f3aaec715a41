"""The benchmark against a published table: its metrics, its table, and a small run from bars to table."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import published
import pytest
from measures.market import composed
from measures.processes import environment
from measures.published import PUBLISHED, ensemble, markdown, measure, repaired

from gogooku3 import config, preflight

ROOT = Path(__file__).parents[2]


def by_hand(scores_TS: np.ndarray, returns_TS: np.ndarray) -> tuple[float, float, float]:
    """IC, RIC and P@10, session by session."""
    correlations, shares = [], []
    for scores, returns in zip(scores_TS, returns_TS, strict=True):
        known = ~np.isnan(returns)
        correlations.append(np.corrcoef(scores[known], returns[known])[0, 1])
        best = np.argsort(-scores[known])[:10]
        shares.append(np.mean(returns[known][best] >= 0))
    return float(np.mean(correlations)), float(np.mean(correlations) / np.std(correlations)), float(np.mean(shares))


def test_the_metrics_are_those_of_the_published_table() -> None:
    random = np.random.default_rng(0)
    scores_TS, returns_TS = random.standard_normal((2, 6, 30))
    returns_TS[2, 3:9] = np.nan
    measured = measure(scores_TS, returns_TS)
    assert (measured.ic, measured.ric, measured.precision) == pytest.approx(by_hand(scores_TS, returns_TS))


def test_a_session_without_returns_counts_for_nothing() -> None:
    scores_TS, returns_TS = np.random.default_rng(0).standard_normal((2, 4, 30))
    with_last = np.vstack([returns_TS[:3], np.full((1, 30), np.nan)])
    shorter = measure(scores_TS[:3], returns_TS[:3])
    measured = measure(scores_TS, with_last)
    assert (measured.ic, measured.ric, measured.precision) == (shorter.ic, shorter.ric, shorter.precision)


def test_an_ensemble_does_not_depend_on_the_scale_of_its_members() -> None:
    one, two = np.random.default_rng(0).standard_normal((2, 3, 20))
    one[1, 4] = two[1, 4] = np.nan
    np.testing.assert_allclose(ensemble([one, two]), ensemble([100 * one + 7, two]), atol=1e-9)
    assert np.isnan(ensemble([one, two])).sum() == 1


def test_only_an_open_of_zero_is_replaced() -> None:
    bars = pl.DataFrame({"open": [0.0, 2.0], "low": [0.0, 1.0], "close": [3.0, 4.0]})
    assert repaired(bars).rows() == [(3.0, 0.0, 3.0), (2.0, 1.0, 4.0)]


def test_the_table_has_ours_next_to_the_published_rows() -> None:
    random = np.random.default_rng(0)
    returns_TS = random.standard_normal((40, 30))
    good, weak = (measure(returns_TS + noise * random.standard_normal((40, 30)), returns_TS) for noise in (1.0, 20.0))
    others = {"ensemble": good, "LightGBM": weak, "ridge regression": weak}
    text = markdown({"a": 0.01, "b": 0.02}, "b", {1: good, 2: weak}, others, "")
    assert [f"| {name} (published) | " in text for name in PUBLISHED] == [True] * 3
    for row in ("| ours, seed 2 |", "2 seeds | ", "| LightGBM |", "| b | 0.0200 | chosen |", "| a | 0.0100 |  |"):
        assert row in text
    assert f"paired by session: {good.ic - weak.ic:.4f} [" in text


@pytest.mark.parametrize("size", published.SIZES)
@pytest.mark.parametrize("recipe", published.RECIPES)
def test_each_recipe_is_a_valid_configuration(tmp_path: Path, size: str, recipe: str) -> None:
    (tmp_path / "params.yaml").write_text(
        composed([*published.BASE, *published.SIZES[size], *published.fitting(size, published.RECIPES[recipe])])
    )
    params = config.load(tmp_path / "params.yaml")
    assert (params.quotes.source, params.dataset.horizons, params.tier.name) == ("file", [1], "demo")
    preflight.check(params)


@pytest.mark.slow
def test_a_small_run_ends_with_the_table(tmp_path: Path) -> None:
    """From bars to table, with the pipeline's stages; a second call makes nothing again."""
    random, days = np.random.default_rng(0), [date(2015, 6, 1) + timedelta(day) for day in range(700)]
    sessions = [day for day in days if day.weekday() < 5]
    frames = []
    for number in range(20):
        close = 50 * np.exp(np.cumsum(0.02 * random.standard_normal(len(sessions))))
        opened, volume = close * np.exp(0.002 * random.standard_normal(len(sessions))), random.integers(10**4, 10**6)
        prices = {"open": opened, "high": np.maximum(opened, close), "low": np.minimum(opened, close), "close": close}
        frames.append(pl.DataFrame({"date": sessions, "code": f"S{number:02}", **prices, "volume": int(volume)}))
    pl.concat(frames).write_parquet(tmp_path / "bars.parquet")
    command = [sys.executable, str(ROOT / "benchmarks/published.py"), str(tmp_path / "bars.parquet"), "--size", "small"]
    command += ["--folder", str(tmp_path / "work"), "--seeds", "1", "--out", str(tmp_path / "table.md")]
    for trains in (True, False):
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert ("train finetune …" in done.stderr) == trains
    table = (tmp_path / "table.md").read_text()
    assert table.count("| ours, ") == 3
    assert "its figures mean nothing" in " ".join(table.split())


def test_a_missing_file_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["published.py", "none.parquet"])
    with pytest.raises(SystemExit, match="2"):
        published.main()
    assert capsys.readouterr().err.endswith("published.py: error: none.parquet is not a file\n")
