"""Exported files, read by alphalens and quantstats: their numbers match the metrics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import alphalens
import numpy as np
import pandas as pd
import pytest
import quantstats
from scipy import stats

from gogooku3.metrics.split_file import table_of

from .conftest import Workspace

HORIZONS = (1, 5, 10, 20)


@pytest.fixture(scope="module", params=["test", "validation"])
def split(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def exported(small_run: Workspace, split: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / split
    said = small_run.run("gogooku3", "export", "--split", split, "--output", str(folder)).stdout
    assert f"{folder}/alphalens/score_5.parquet" in said
    return folder


@pytest.fixture(scope="module")
def metrics(small_run: Workspace, split: str) -> dict[str, Any]:
    content: dict[str, Any] = table_of(json.loads((small_run.folder / f"metrics/{split}.json").read_text()))
    return content


@pytest.fixture(scope="module")
def quantiles(small_run: Workspace) -> pd.DataFrame:
    return pd.read_csv(small_run.folder / "plots/quantiles.csv")


def factor_data(exported: Path, horizon: int) -> pd.DataFrame:
    return pd.read_parquet(exported / f"alphalens/score_{horizon}.parquet")


@pytest.mark.parametrize("horizon", HORIZONS)
def test_the_information_coefficient_of_alphalens_is_the_rank_ic(
    exported: Path, metrics: dict[str, Any], horizon: int
) -> None:
    found = alphalens.performance.factor_information_coefficient(factor_data(exported, horizon))[f"{horizon}D"]
    expected = metrics["rank_ic"][str(horizon)]
    assert len(found) == expected["sessions"]
    assert found.mean() == pytest.approx(expected["value"], abs=1e-9)
    assert (found > 0).mean() == pytest.approx(expected["positive_share"], abs=1e-9)


@pytest.mark.parametrize("horizon", HORIZONS)
def test_the_pairs_give_the_ic_too(exported: Path, metrics: dict[str, Any], horizon: int) -> None:
    """alphalens has no Pearson correlation: SciPy's is computed on its table."""
    by_date = factor_data(exported, horizon).groupby(level="date")
    found = [stats.pearsonr(day["factor"], day[f"{horizon}D"]).statistic for _, day in by_date]
    assert np.mean(found) == pytest.approx(metrics["ic"][str(horizon)]["value"], abs=1e-9)


@pytest.mark.parametrize("horizon", HORIZONS)
def test_quantiles_and_their_returns_are_those_of_alphalens(
    exported: Path, quantiles: pd.DataFrame, split: str, horizon: int
) -> None:
    data = factor_data(exported, horizon)
    theirs = alphalens.utils.quantize_factor(data, quantiles=10)
    pd.testing.assert_series_equal(theirs, data["factor_quantile"], check_dtype=False)
    if split == "test":
        found = alphalens.performance.mean_return_by_quantile(data)[0][f"{horizon}D"]
        expected = quantiles.query("horizon == @horizon").set_index("quantile")["mean_return"]
        np.testing.assert_allclose(found, expected.loc[found.index], atol=1e-9)


@pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")
def test_alphalens_makes_the_same_forward_returns_from_the_prices(exported: Path) -> None:
    data = factor_data(exported, 5)
    prices = pd.read_parquet(exported / "alphalens/prices.parquet")
    theirs = alphalens.utils.get_clean_factor_and_forward_returns(
        data["factor"], prices, periods=(5,), quantiles=10, max_loss=1.0
    )
    both = theirs.join(data, how="inner", rsuffix="_ours")
    assert len(both) > 0.9 * len(data)
    column = next(name for name in theirs.columns if name.startswith("5D"))
    np.testing.assert_allclose(both[column], both["5D_ours"], rtol=1e-4, atol=1e-6)


def test_quantstats_finds_the_same_sharpe_drawdown_volatility_and_return(
    exported: Path, metrics: dict[str, Any], small_run: Workspace, split: str
) -> None:
    returns = pd.read_parquet(exported / "quantstats/returns.parquet")
    net = returns["net"]
    assert len(net) == metrics["sessions"]
    assert quantstats.stats.sharpe(net) == pytest.approx(metrics["sharpe"]["value"], abs=1e-9)
    assert quantstats.stats.max_drawdown(net) == pytest.approx(metrics["max_drawdown"], abs=1e-9)
    assert quantstats.stats.volatility(net) == pytest.approx(metrics["annual_volatility"], abs=1e-9)
    track = pd.read_csv(small_run.folder / f"metrics/sessions/{split}.csv").dropna(subset="net")
    assert quantstats.stats.comp(net) == pytest.approx(track["cumulative_net"].iloc[-1], abs=1e-9)
    drawdown = quantstats.stats.to_drawdown_series(net)
    np.testing.assert_allclose(drawdown, track["drawdown"], atol=1e-9)


def test_a_return_stands_under_the_session_that_earned_it(exported: Path, small_run: Workspace, split: str) -> None:
    returns = pd.read_parquet(exported / "quantstats/returns.parquet")
    track = pd.read_csv(small_run.folder / f"metrics/sessions/{split}.csv", parse_dates=["Date"])
    index = pd.read_parquet(small_run.folder / "data/quotes/index.parquet").set_index("Date")["Close"]
    index.index = pd.DatetimeIndex(index.index)
    held = track.dropna(subset="net")
    following = index.index[index.index.searchsorted(held["Date"], side="right")]
    assert list(returns.index) == list(following)
    np.testing.assert_allclose(returns["index"], index.pct_change().loc[returns.index])
    np.testing.assert_array_equal(returns["net"], held["net"])


def test_a_folder_that_holds_something_is_left_alone(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("mine")
    done = workspace.run("gogooku3", "export", "--output", str(tmp_path / "mine"), check=False)
    assert (done.returncode, "exists and is not empty" in done.stderr) == (1, True)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]
    (tmp_path / "mine/notes.txt").unlink()
    workspace.run("gogooku3", "export", "--output", str(tmp_path / "mine"))
    assert (tmp_path / "mine/quantstats/returns.parquet").is_file()


@pytest.mark.parametrize("lost", ["data/predictions.parquet", "metrics/sessions/test.csv", "data/quotes"])
def test_an_absent_output_is_named_and_nothing_is_written(workspace: Workspace, tmp_path: Path, lost: str) -> None:
    (workspace.folder / lost).rename(tmp_path / "elsewhere")
    done = workspace.run("gogooku3", "export", "--output", str(tmp_path / "out"), check=False)
    assert done.returncode == 3
    assert f"`{lost}" in done.stderr
    assert "hint: " in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_same_run_gives_the_same_bytes(exported: Path, small_run: Workspace, split: str, tmp_path: Path) -> None:
    small_run.run("gogooku3", "export", "--split", split, "--output", str(tmp_path / "again"), TZ="Pacific/Chatham")
    names = sorted(str(path.relative_to(exported)) for path in exported.rglob("*.parquet"))
    assert len(names) == len(HORIZONS) + 2
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (exported / name).read_bytes(), name
