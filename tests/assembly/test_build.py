from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

from gogooku3.assembly.build import build
from gogooku3.config.dataset import Dataset, Graph
from gogooku3.errors import DataError
from gogooku3.features import registry
from gogooku3.features.block import feature_block
from gogooku3.features.feature import Feature
from gogooku3.features.market import Market
from gogooku3.features.registry import select
from gogooku3.features.targets import forward_returns

from .conftest import bytes_of, random_frames

Make = Callable[..., object]

BUILD = """
import sys
from datetime import date
from pathlib import Path
import polars as pl
from gogooku3.config.dataset import Dataset, Graph, Joined, Split
from gogooku3.assembly.build import build
from gogooku3.assembly.history import History
frames = [pl.read_parquet(Path(sys.argv[1]) / f"{name}.parquet") for name in ("bars", "listed", "index")]
split = Split(date(2021, 1, 4), date(2022, 1, 24), date(2022, 2, 21), 5)
params = Dataset("full", 5.0, [1, 5], Graph(20, 3, 5), split, Joined("", {}))
build(History(frames[0].lazy(), *frames[1:]), params, Path(sys.argv[2]))
"""


def differing_months(frames: object, params: Dataset, cuts: list[date], scratch: Path) -> list[str]:
    """Look-ahead test: files of complete months that change when the bars after a day are removed."""
    build(frames.history(), params, scratch / "whole")  # type: ignore[attr-defined]
    whole, changed = bytes_of(scratch / "whole"), []
    for day in cuts:
        build(frames.until(day).history(), params, scratch / str(day))  # type: ignore[attr-defined]
        for name, content in bytes_of(scratch / str(day)).items():
            kind = name.split("/")[0]
            complete = kind in ("features", "graph") and name < f"{kind}/{day + timedelta(days=1):%Y-%m}"
            if complete and content != whole[name]:
                changed.append(f"{day}: {name}")
    return changed


CUTS = [date(2022, 3, 11), date(2022, 3, 31), date(2022, 4, 5)]


@pytest.fixture(scope="module")
def eventful(make_frames: Make) -> object:
    """A market with a listing, a delisting, a suspension and a stock split."""
    frames = make_frames()
    days = frames.bars["Date"].unique().sort()  # type: ignore[attr-defined]
    code, day = pl.col("Code"), pl.col("Date")
    bars = frames.bars.filter(  # type: ignore[attr-defined]
        ~((code == "1308") & (day < days[322]))
        & ~((code == "1315") & (day > days[300]))
        & ~((code == "1322") & (day == days[290]))
    )
    after = (code == "1329") & (day >= days[310])
    prices = pl.col("Open", "High", "Low", "Close")
    bars = bars.with_columns(
        pl.when(after).then(prices / 3.0).otherwise(prices),
        pl.when((code == "1329") & (day == days[310])).then(1 / 3).otherwise(1.0).alias("AdjustmentFactor"),
    )
    return frames.with_bars(bars)  # type: ignore[attr-defined]


def test_removing_the_future_changes_no_byte_of_a_complete_month(
    eventful: object, params: Dataset, tmp_path: Path
) -> None:
    assert differing_months(eventful, params, CUTS, tmp_path) == []


def test_the_look_ahead_test_catches_a_feature_with_look_ahead(
    eventful: object, params: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tomorrow(market: Market) -> np.ndarray:
        ahead_TS = np.full(market.close_TS.shape, np.nan)
        ahead_TS[:-1] = market.return_TS[1:]
        return ahead_TS

    peeking = Feature("returns", "stock", "ret_ahead", 2, "r_t+1", tomorrow)
    monkeypatch.setattr(registry, "FAMILIES", {"returns": (*registry.FAMILIES["returns"], peeking)})
    changed = differing_months(eventful, params, [date(2022, 3, 31)], tmp_path)
    assert changed == ["2022-03-31: features/2022-03.parquet"]


def test_the_look_ahead_test_catches_a_feature_scaled_over_the_whole_history(
    eventful: object, params: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def against_history(market: Market) -> np.ndarray:
        return market.return_TS - np.nanmean(market.return_TS)

    peeking = Feature("calendar", "rank", "ret_against_history", 2, "r − mean(r)", against_history)
    monkeypatch.setattr(registry, "FAMILIES", {"returns": (*registry.FAMILIES["returns"], peeking)})
    assert len(differing_months(eventful, params, [date(2022, 3, 31)], tmp_path)) == 3


@pytest.mark.parametrize("blocks", [[(250, 330)], [(0, 100), (100, 257), (257, 330)], [(300, 301)]])
def test_a_block_of_sessions_built_separately_has_the_same_bits(
    eventful: object, params: Dataset, blocks: list[tuple[int, int]]
) -> None:
    market = eventful.market()  # type: ignore[attr-defined]
    features = select(params.features)
    whole = feature_block(market, features, params.clip, 0, 330)
    for start, stop in blocks:
        np.testing.assert_array_equal(feature_block(market, features, params.clip, start, stop), whole[:, start:stop])


@pytest.fixture(scope="module")
def reference(eventful: object, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    quotes = tmp_path_factory.mktemp("quotes")
    eventful.write(quotes)  # type: ignore[attr-defined]
    return quotes, _built_elsewhere(quotes, tmp_path_factory.mktemp("reference"), {})


def _built_elsewhere(quotes: Path, scratch: Path, environment: dict[str, str]) -> dict[str, bytes]:
    command = [sys.executable, "-c", BUILD, str(quotes), str(scratch / "dataset")]
    subprocess.run(command, check=True, env={**os.environ, **environment}, capture_output=True)
    return bytes_of(scratch / "dataset")


def _fewer_instructions() -> str:
    return " ".join(name for name in __cpu_dispatch__ if __cpu_features__[name])


@pytest.mark.parametrize(
    "environment",
    [
        {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "1"},
        {"POLARS_MAX_THREADS": "2", "PYTHONHASHSEED": "77", "TZ": "Asia/Tokyo", "LC_ALL": "tr_TR.UTF-8"},
        {"NPY_DISABLE_CPU_FEATURES": _fewer_instructions(), "OPENBLAS_CORETYPE": "Haswell"},
    ],
    ids=["one thread", "other hash seed, zone and locale", "older processor"],
)
def test_the_bytes_do_not_depend_on_the_machine(
    reference: tuple[Path, dict[str, bytes]], environment: dict[str, str], tmp_path: Path
) -> None:
    quotes, expected = reference
    assert _built_elsewhere(quotes, tmp_path, environment) == expected


def test_there_is_one_row_per_bar_sorted_by_date_and_code(eventful: object, params: Dataset, tmp_path: Path) -> None:
    build(eventful.history(), params, tmp_path / "dataset")  # type: ignore[attr-defined]
    wanted = eventful.bars.select("Date", "Code").sort("Date", "Code")  # type: ignore[attr-defined]
    for kind in ("features", "targets"):
        files = sorted((tmp_path / "dataset" / kind).iterdir())
        assert pl.concat([pl.read_parquet(file) for file in files]).select("Date", "Code").equals(wanted)


def test_targets_are_only_in_their_own_files(folder: Path) -> None:
    features = pl.read_parquet_schema(folder / "features/2022-03.parquet")
    targets = pl.read_parquet_schema(folder / "targets/2022-03.parquet")
    assert list(targets) == ["Date", "Code", "target_1", "target_5"]
    assert not [name for name in features if name.startswith("target")]
    assert set(list(features.values())[2:]) == {pl.Float32}


def test_session_features_are_not_normalised_in_the_files(folder: Path, market: Market) -> None:
    march = pl.read_parquet(folder / "features/2022-03.parquet")
    raw = {int(row): float(np.float32(market.index_return_T[row])) for row in range(330)}
    place = {str(day): row for row, day in enumerate(market.sessions)}
    assert all(value == raw[place[str(day)]] for day, value in march.select("Date", "index_ret_1").iter_rows())


def test_session_features_are_fitted_on_the_training_sessions_only(folder: Path, market: Market) -> None:
    fitted = json.loads((folder / "preprocess.json").read_text())["session"]["index_ret_1"]
    split = json.loads((folder / "split.json").read_text())
    last = np.flatnonzero(market.sessions == np.datetime64(split["train"]["last"]))[0]
    train = market.index_return_T[1 : last + 1].astype(np.float32).astype(float)
    assert fitted["mean"] == pytest.approx(train.mean(), rel=1e-12)
    assert fitted["std"] == pytest.approx(train.std(), rel=1e-12)


def test_another_split_changes_the_fitted_values_and_no_feature_file(
    frames: object, params: Dataset, folder: Path, tmp_path: Path
) -> None:
    split = replace(params.split, validation_from=date(2022, 2, 1), test_from=date(2022, 3, 1))
    build(frames.history(), replace(params, split=split), tmp_path / "moved")
    before, after = bytes_of(folder), bytes_of(tmp_path / "moved")
    assert {name for name in before if before[name] != after[name]} == {"preprocess.json", "split.json"}


def test_too_few_sessions_write_nothing(frames: object, params: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="leave usable sessions: train 0"):
        build(frames.until(date(2021, 12, 17)).history(), params, tmp_path / "dataset")
    assert list(tmp_path.iterdir()) == []


def test_a_month_without_a_graph_has_no_file(
    frames: object, market: Market, params: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "FAMILIES", {"returns": registry.FAMILIES["returns"]})
    sparse = replace(params, graph=Graph(window=60, neighbours=2, refresh=40))
    build(frames.history(), sparse, tmp_path / "dataset")
    made = {path.stem for path in (tmp_path / "dataset/graph").iterdir()}
    assert made == {str(market.sessions[row].astype("datetime64[M]")) for row in range(60, 330, 40)}


def test_splits_are_written_as_they_are_cut(folder: Path) -> None:
    content = json.loads((folder / "split.json").read_text())
    assert content["embargo"] == 5
    assert content["validation"]["first"] == "2022-01-24"
    assert content["train"]["last"] == "2022-01-14"  # five weekdays lie between


def test_targets_are_those_of_the_whole_market_across_the_ends_of_years_and_splits(
    folder: Path, market: Market, params: Dataset
) -> None:
    """Each calendar year is a unit of work: its last targets need the first sessions of the next one."""
    rows = pl.concat(pl.read_parquet(path) for path in sorted((folder / "targets").iterdir()))
    assert rows["Date"].dt.year().n_unique() == 2
    y_HTS = forward_returns(market, params.horizons)
    for y_TS, horizon in zip(y_HTS, params.horizons, strict=True):
        np.testing.assert_array_equal(rows[f"target_{horizon}"].to_numpy(), y_TS[market.present_TS])
        assert np.isfinite(y_TS[:-horizon]).all()


def test_a_split_needs_the_targets_of_the_longest_horizon(frames: object, params: Dataset, tmp_path: Path) -> None:
    """Test has 9 sessions: enough for targets over 1 session, and not for those over 5."""
    split = replace(params.split, test_from=date(2022, 3, 29))
    few = frames.until(date(2022, 4, 8)).history()  # type: ignore[attr-defined]
    with pytest.raises(DataError, match=r"test 9; each split needs 10 \(horizon 5 \+ 5\)"):
        build(few, replace(params, split=split), tmp_path / "dataset")


def test_a_window_without_a_graph_in_training_is_refused_before_anything_is_built(
    frames: object, params: Dataset, tmp_path: Path
) -> None:
    longest = 269  # training ends with session 270
    for window in (longest + 1, 5000):
        with pytest.raises(
            DataError, match=rf"no training session has a neighbour graph: .* {window} .*2022-01-14"
        ) as refused:
            build(frames.history(), replace(params, graph=Graph(window, 3, 5)), tmp_path / "dataset")  # type: ignore[attr-defined]
        assert "shorten `dataset.graph.window`" in refused.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_market_in_which_no_two_stocks_can_be_neighbours_is_refused(
    params: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "FAMILIES", {"returns": registry.FAMILIES["returns"]})
    with pytest.raises(DataError, match="no session has a neighbour graph: never do two stocks"):
        build(random_frames(stocks=1).history(), params, tmp_path / "dataset")
    assert not (tmp_path / "dataset").exists()
