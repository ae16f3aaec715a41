"""Damaged dataset files are detected on reading; the next build restores them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gogooku3.assembly.build import build
from gogooku3.config.dataset import Dataset
from gogooku3.dataset.schema import Column, Schema
from gogooku3.errors import DataError, MismatchError
from gogooku3.panel.panel import read_panel

from .conftest import Frames, bytes_of

Damage = Callable[[Path], None]


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "dataset"))


@pytest.fixture(scope="module")
def older(frames: Frames, params: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset of the bars until the middle of March, one of which has been corrected since."""
    at = (pl.col("Date") == date(2022, 2, 1)) & (pl.col("Code") == "1308")
    bars = frames.bars.with_columns(pl.when(at).then(pl.col("Open") * 1.01).otherwise(pl.col("Open")))
    folder = tmp_path_factory.mktemp("older") / "dataset"
    build(frames.with_bars(bars).until(date(2022, 3, 16)).history(), params, folder)
    return folder


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("features/2022-03.parquet", "has 168 rows, `contents.json` lists 322"),
        ("features/2022-02.parquet", "has other values than were written"),
        ("targets/2022-03.parquet", "has 168 rows, `contents.json` lists 322"),
        ("graph/2022-03.parquet", "has 84 rows, `contents.json` lists"),
    ],
)
def test_a_file_of_an_older_dataset_is_detected(copy: Path, older: Path, name: str, message: str) -> None:
    shutil.copyfile(older / name, copy / name)
    with pytest.raises(MismatchError, match=f"{name}` {message}"):
        read_panel(copy)


def test_a_file_with_unknown_targets_in_place_of_known_ones_is_detected(
    frames: Frames, params: Dataset, copy: Path, tmp_path: Path
) -> None:
    """The same rows: at the end of March the last five sessions' targets were not known."""
    build(frames.until(date(2022, 3, 31)).history(), params, tmp_path / "march")
    shutil.copyfile(tmp_path / "march/targets/2022-03.parquet", copy / "targets/2022-03.parquet")
    with pytest.raises(MismatchError, match=r"targets/2022-03\.parquet` has other values than were written"):
        read_panel(copy)


@pytest.mark.parametrize("kind", ["features", "targets", "graph"])
@pytest.mark.parametrize("left", [0, 4, 0.5, -1])
def test_a_truncated_file_is_detected(copy: Path, kind: str, left: float) -> None:
    path = copy / f"{kind}/2022-03.parquet"
    content = path.read_bytes()
    path.write_bytes(content[: int(left * len(content)) if 0 < left < 1 else int(left)])
    with pytest.raises(DataError, match=rf"{kind}/2022-03\.parquet` cannot be read"):
        read_panel(copy)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


damaged = pytest.mark.parametrize("damage", [_cut, _flip, Path.unlink], ids=["cut off", "a bit flipped", "lost"])


@pytest.fixture(scope="module")
def core(frames: Frames, params: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small dataset and of the leftovers of its build."""
    made = tmp_path_factory.mktemp("core")
    build(frames.history(), replace(params, features="core"), made / "dataset")
    return made


@damaged
@pytest.mark.parametrize("kind", ["features", "targets", "graph"])
def test_the_next_build_restores_a_damaged_file(
    kind: str, damage: Damage, core: Path, frames: Frames, params: Dataset, tmp_path: Path
) -> None:
    shutil.copytree(core, tmp_path, dirs_exist_ok=True)
    damage(tmp_path / f"dataset/{kind}/2022-03.parquet")
    build(frames.history(), replace(params, features="core"), tmp_path / "dataset")
    assert bytes_of(tmp_path / "dataset") == bytes_of(core / "dataset")


@damaged
@pytest.mark.parametrize("name", ["whole/features/2021-06.parquet", "months/2021-06.json"])
def test_leftovers_of_a_killed_build_are_verified(
    name: str, damage: Damage, core: Path, frames: Frames, params: Dataset, tmp_path: Path
) -> None:
    shutil.copytree(core, tmp_path, dirs_exist_ok=True)
    (tmp_path / "dataset").rename(tmp_path / ".dataset.partial/whole")
    damage(tmp_path / ".dataset.partial" / name)
    build(frames.history(), replace(params, features="core"), tmp_path / "dataset")
    assert bytes_of(tmp_path / "dataset") == bytes_of(core / "dataset")


Columns = list[dict[str, Any]]


def _edited(path: Path, change: Callable[[Columns], object]) -> str:
    """Changes the features of a schema and updates its ABI."""
    content = json.loads(path.read_text())
    change(content["features"])
    columns = tuple(Column(**column) for column in content["features"])
    content["abi"] = Schema(columns, tuple(content["horizons"]), content["neighbours"]).abi
    path.write_text(json.dumps(content))
    return str(content["abi"])


def test_a_duplicate_feature_in_the_schema_is_refused_even_with_a_matching_abi(copy: Path) -> None:
    _edited(copy / "schema.json", lambda features: features.append(features[2]))
    with pytest.raises(MismatchError, match="has 1 duplicate features: ret_3"):
        read_panel(copy)


def test_a_schema_with_another_dtype_does_not_match_the_preprocessing(copy: Path) -> None:
    abi = _edited(copy / "schema.json", lambda features: features[3].update(dtype="float64"))
    with pytest.raises(MismatchError, match=f"has the feature ABI .*, the dataset has {abi}"):
        read_panel(copy)


def test_a_schema_in_another_order_is_refused_even_with_the_abi_of_that_order(copy: Path) -> None:
    abi = _edited(copy / "schema.json", lambda features: features.insert(0, features.pop(1)))
    own = json.loads((copy / "preprocess.json").read_text())
    (copy / "preprocess.json").write_text(json.dumps({**own, "abi": abi}))
    with pytest.raises(MismatchError, match=r"features/2021-01\.parquet` .* 2 reordered: ret_1 where ret_2 belongs"):
        read_panel(copy)
