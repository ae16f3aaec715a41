from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gogooku3.assembly.build import build
from gogooku3.config.dataset import Dataset
from gogooku3.dataset.contents import write_frame
from gogooku3.errors import DataError, MismatchError
from gogooku3.features.block import feature_block
from gogooku3.features.market import Market
from gogooku3.features.registry import select
from gogooku3.features.targets import forward_returns
from gogooku3.panel.panel import read_panel
from gogooku3.runtime.files import sha256_frame

Change = Callable[[pl.DataFrame], pl.DataFrame]


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "dataset"))


def _edit_json(path: Path, change: Callable[[dict], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_the_panel_returns_the_computed_values(folder: Path, market: Market, params: Dataset) -> None:
    panel = read_panel(folder)
    features = select(params.features)
    stored_FTS = feature_block(market, features, params.clip, 0, len(market.sessions))
    np.testing.assert_array_equal(panel.sessions, market.sessions)
    assert panel.codes == market.codes
    assert panel.features == tuple(feature.name for feature in features)
    for place, feature in enumerate(features):
        if feature.scope != "session":
            np.testing.assert_array_equal(panel.x_TSF[:, :, place], stored_FTS[place])
    np.testing.assert_array_equal(panel.y_TSH, forward_returns(market, params.horizons).transpose(1, 2, 0))
    np.testing.assert_array_equal(panel.present_TS, market.present_TS)
    assert panel.horizons == (1, 5)
    assert (panel.x_TSF.dtype, panel.y_TSH.dtype) == (np.float32, np.float32)


def test_session_features_are_standardised_by_the_training_sessions(folder: Path) -> None:
    panel = read_panel(folder)
    first, last = panel.split["train"]
    for name in ("index_ret_1", "weekday_sin", "breadth_1"):
        values = panel.x_TSF[first : last + 1, 0, panel.features.index(name)].astype(float)
        assert np.nanmean(values) == pytest.approx(0, abs=0.02)
        assert np.nanstd(values) == pytest.approx(1, abs=0.02)
    assert np.nanmax(np.abs(panel.x_TSF)) <= 5.0


def test_another_preprocess_replaces_the_datasets_own(folder: Path) -> None:
    own = json.loads((folder / "preprocess.json").read_text())
    fitted = own["session"]["weekday_sin"]
    other = {
        **own,
        "session": {**own["session"], "weekday_sin": {**fitted, "mean": fitted["mean"] + 2 * fitted["std"]}},
    }
    place = read_panel(folder).features.index("weekday_sin")
    moved, kept = read_panel(folder, other).x_TSF, read_panel(folder, own).x_TSF
    np.testing.assert_allclose(moved[:, :, place], kept[:, :, place] - 2.0, atol=1e-5)


def test_a_preprocess_of_other_features_or_another_clip_is_refused(folder: Path) -> None:
    own = json.loads((folder / "preprocess.json").read_text())
    with pytest.raises(MismatchError, match="has the feature ABI 00ff"):
        read_panel(folder, {**own, "abi": "00ff"})
    with pytest.raises(MismatchError, match=r"clips at 3\.0, the dataset was built with 5\.0"):
        read_panel(folder, {**own, "clip": 3.0})


def test_graphs_are_read_as_tables_of_positions(folder: Path, params: Dataset) -> None:
    panel = read_panel(folder)
    made = list(range(20, len(panel.sessions), 5))
    assert panel.neighbours_GSK.shape == (len(made), len(panel.codes), 3)
    assert panel.edges_GSKE.shape == (*panel.neighbours_GSK.shape, 3)
    frame = pl.concat([pl.read_parquet(path) for path in sorted((folder / "graph").iterdir())])
    for date, code, rank, neighbour, *attributes in frame.iter_rows():
        row = made.index(int(np.searchsorted(panel.sessions, np.datetime64(date))))
        place = row, panel.codes.index(code), rank - 1
        assert panel.codes[panel.neighbours_GSK[place]] == neighbour
        np.testing.assert_array_equal(panel.edges_GSKE[place], np.array(attributes, np.float32))


def test_a_session_sees_the_last_graph_made_by_its_close(folder: Path) -> None:
    graph_of_T = read_panel(folder).graph_of_T
    assert graph_of_T[:31].tolist() == [-1] * 20 + [0] * 5 + [1] * 5 + [2]


def test_stocks_without_a_bar_have_no_values_and_no_neighbours(
    make_frames: Callable[..., object], params: Dataset, tmp_path: Path
) -> None:
    frames = make_frames()
    late = frames.bars["Date"].unique().sort()[200]  # type: ignore[attr-defined]
    bars = frames.bars.filter((pl.col("Code") != "1301") | (pl.col("Date") >= late))  # type: ignore[attr-defined]
    build(frames.with_bars(bars).history(), params, tmp_path / "dataset")  # type: ignore[attr-defined]
    panel = read_panel(tmp_path / "dataset")
    assert not panel.present_TS[:200, 0].any()
    assert panel.present_TS[200:, 0].all()
    assert np.isnan(panel.x_TSF[:200, 0]).all()
    assert np.isnan(panel.y_TSH[:200, 0]).all()
    assert (panel.neighbours_GSK[panel.graph_of_T[199], 0] == -1).all()
    assert (panel.edges_GSKE[panel.graph_of_T[199], 0] == 0).all()
    assert (panel.neighbours_GSK[panel.graph_of_T[260], 0] >= 0).all()


def test_a_dataset_without_any_graph_is_read(market: Market, params: Dataset, tmp_path: Path, folder: Path) -> None:
    copied = Path(shutil.copytree(folder, tmp_path / "dataset"))
    shutil.rmtree(copied / "graph")
    _edit_json(copied / "contents.json", lambda c: [c.pop(name) for name in list(c) if name.startswith("graph/")])
    panel = read_panel(copied)
    assert panel.neighbours_GSK.shape == (0, 14, 3)
    assert (panel.graph_of_T == -1).all()


def test_splits_are_read_as_inclusive_positions(folder: Path) -> None:
    panel = read_panel(folder)
    content = json.loads((folder / "split.json").read_text())
    for name, (first, last) in panel.split.items():
        assert str(panel.sessions[first]) == content[name]["first"]
        assert str(panel.sessions[last]) == content[name]["last"]
        assert last - first + 1 == content[name]["sessions"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop("ret_5", "atr_14"), "2 missing: ret_5, atr_14"),
        (lambda f: f.with_columns(extra=pl.lit(1.0)), "1 added: extra"),
        (lambda f: f.with_columns(pl.col("ret_5").cast(pl.Float64)), r"1 retyped: ret_5 \(Float64 for Float32\)"),
        (
            lambda f: f.select("Date", "Code", "ret_2", "ret_1", *f.columns[4:]),
            "2 reordered: ret_2 where ret_1 belongs, ret_1 where ret_2 belongs",
        ),
        (lambda f: f.rename({"ret_5": "ret_6"}), "1 missing: ret_5; 1 added: ret_6"),
    ],
)
def test_columns_that_differ_from_the_schema_are_listed(copy: Path, change: Change, message: str) -> None:
    path = copy / "features/2022-03.parquet"
    change(pl.read_parquet(path)).write_parquet(path)
    with pytest.raises(
        MismatchError, match=f"features/2022-03.parquet` does not have the columns of its schema: {message}"
    ):
        read_panel(copy)


def test_a_target_among_the_features_is_refused(copy: Path) -> None:
    path = copy / "features/2022-03.parquet"
    pl.read_parquet(path).with_columns(target_1=pl.lit(0.0, pl.Float32)).write_parquet(path)
    with pytest.raises(MismatchError, match="has forward returns among its features: target_1"):
        read_panel(copy)


def test_a_target_in_the_schema_is_refused_even_with_a_matching_abi(copy: Path) -> None:
    _edit_json(copy / "schema.json", lambda c: c["features"][0].update(name="target_1"))
    with pytest.raises(MismatchError, match="has forward returns among its features: target_1"):
        read_panel(copy)


def test_a_schema_whose_order_does_not_match_its_abi_is_refused(copy: Path) -> None:
    _edit_json(copy / "schema.json", lambda c: c["features"].reverse())
    with pytest.raises(MismatchError, match=r"has the ABI .* features have"):
        read_panel(copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.head(f.height - 1), "rows, `contents.json` lists"),
        (lambda f: f.with_columns(pl.col("ret_5") + 1), "has other values than were written"),
        (lambda f: f.reverse(), "has other values than were written"),
    ],
)
def test_rows_and_values_other_than_those_written_are_refused(copy: Path, change: Change, message: str) -> None:
    path = copy / "features/2022-03.parquet"
    change(pl.read_parquet(path)).write_parquet(path)
    with pytest.raises(MismatchError, match=message):
        read_panel(copy)


def test_missing_and_unknown_files_are_listed(copy: Path) -> None:
    (copy / "targets/2022-03.parquet").rename(copy / "targets/2029-01.parquet")
    with pytest.raises(DataError, match=r"differ in targets/2022-03\.parquet, targets/2029-01\.parquet"):
        read_panel(copy)


def test_a_truncated_file_is_named(copy: Path) -> None:
    path = copy / "targets/2022-03.parquet"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"targets/2022-03\.parquet` cannot be read"):
        read_panel(copy)


@pytest.mark.parametrize("name", ["schema.json", "preprocess.json", "contents.json", "split.json"])
def test_an_absent_or_broken_json_file_is_named(copy: Path, name: str) -> None:
    (copy / name).write_text("{")
    with pytest.raises(DataError, match=f"{name}` is not JSON"):
        read_panel(copy)
    (copy / name).unlink()
    with pytest.raises(DataError, match=f"{name}` does not exist"):
        read_panel(copy)


def test_a_schema_without_features_is_refused(copy: Path) -> None:
    _edit_json(copy / "schema.json", lambda c: c.pop("features"))
    with pytest.raises(DataError, match="is not a dataset's schema: 'features'"):
        read_panel(copy)


def test_a_split_on_a_day_without_a_session_is_refused(copy: Path) -> None:
    _edit_json(copy / "split.json", lambda c: c["test"].update(first="2022-02-20"))
    with pytest.raises(DataError, match="differ in '2022-02-20'"):
        read_panel(copy)


def test_the_table_of_contents_lists_rows_and_hash_of_every_file(tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": [1.0, 2.0]})
    entry = write_frame(frame, tmp_path / "a/1.parquet")
    assert entry == {"rows": 2, "sha256": sha256_frame(pl.read_parquet(tmp_path / "a/1.parquet"))}
