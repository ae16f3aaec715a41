"""New or corrected bars rebuild only the months that depend on them (cache misses)."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from gogooku3.assembly.build import build
from gogooku3.config.dataset import Dataset, Graph, Split
from gogooku3.features import registry

from .conftest import Frames, bytes_of


def inodes(folder: Path) -> dict[str, int]:
    """The inode of each features and graph file, which changes if the file is rewritten."""
    return {
        path.relative_to(folder).as_posix(): path.stat().st_ino
        for kind in ("features", "graph")
        for path in sorted((folder / kind).iterdir())
    }


def changed(before: dict[str, int], after: dict[str, int]) -> set[str]:
    """Files that were written or rewritten."""
    return {name for name, inode in after.items() if before.get(name) != inode}


@pytest.fixture(scope="module")
def until_march(frames: Frames, params: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("march")
    build(frames.until(date(2022, 3, 31)).history(), params, made / "dataset")
    return made


@pytest.fixture
def march(until_march: Path, tmp_path: Path) -> Path:
    """The dataset of the bars until 31 March, with the leftovers of its build."""
    shutil.copytree(until_march, tmp_path, dirs_exist_ok=True)
    return tmp_path / "dataset"


def test_an_appended_month_adds_its_files_and_changes_the_targets_that_were_unknown(
    march: Path, frames: Frames, params: Dataset, folder: Path
) -> None:
    before, written = bytes_of(march), inodes(march)
    build(frames.history(), params, march)
    after = bytes_of(march)
    assert after == bytes_of(folder)  # the same as a clean build
    april = {f"{kind}/2022-04.parquet" for kind in ("features", "targets", "graph")}
    assert set(after) - set(before) == april
    differing = {name for name, content in before.items() if after[name] != content}
    # The last targets of March reach five sessions into April; the fitted means and the ABI do not move.
    assert differing == {"targets/2022-03.parquet", "contents.json", "split.json"}
    assert changed(written, inodes(march)) == april - {"targets/2022-04.parquet"}


def test_the_same_bars_rewrite_no_features(march: Path, frames: Frames, params: Dataset) -> None:
    written = inodes(march)
    build(frames.until(date(2022, 3, 31)).history(), params, march)
    assert inodes(march) == written


def test_months_come_from_dvcs_cache_after_dvc_removed_the_dataset(
    march: Path, frames: Frames, params: Dataset, folder: Path, tmp_path: Path
) -> None:
    objects = {}
    for name, content in bytes_of(march).items():
        md5 = hashlib.md5(content).hexdigest()
        objects[name] = tmp_path / "cache/files/md5" / md5[:2] / md5[2:]
        objects[name].parent.mkdir(parents=True, exist_ok=True)
        objects[name].write_bytes(content)
    shutil.rmtree(march)
    objects["features/2022-01.parquet"].write_bytes(b"damaged")
    build(frames.history(), params, march, tmp_path / "cache")
    assert bytes_of(march) == bytes_of(folder)
    taken = {name for name in inodes(march) if name in objects and (march / name).samefile(objects[name])}
    months = ("2022-01", "2022-04")  # the damaged one, and the new one
    assert set(inodes(march)) - taken == {
        f"{kind}/{month}.parquet" for kind in ("features", "graph") for month in months
    }


@pytest.fixture
def short(params: Dataset, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """Features with a lookback of at most 10 sessions, graphs with 20."""
    few = tuple(feature for feature in registry.FAMILIES["returns"] if feature.lookback <= 10)
    monkeypatch.setattr(registry, "FAMILIES", {"returns": few})
    return replace(params, graph=Graph(window=20, neighbours=3, refresh=5))


def test_a_longer_horizon_leaves_the_targets_of_more_months_unknown(
    frames: Frames, short: Dataset, tmp_path: Path
) -> None:
    split = Split(date(2021, 1, 4), validation_from=date(2021, 9, 1), test_from=date(2022, 1, 11), embargo=25)
    far = replace(short, horizons=[1, 25], split=split)
    build(frames.until(date(2022, 3, 31)).history(), far, tmp_path / "dataset")
    before = bytes_of(tmp_path / "dataset")
    build(frames.history(), far, tmp_path / "dataset")
    after = bytes_of(tmp_path / "dataset")
    differing = {name for name in before if after[name] != before[name]}
    assert differing == {"targets/2022-02.parquet", "targets/2022-03.parquet", "contents.json", "split.json"}


def corrected(frames: Frames, day: date, column: str) -> Frames:
    """One corrected value of one stock, slightly higher."""
    at = (pl.col("Date") == day) & (pl.col("Code") == "1315")
    return frames.with_bars(frames.bars.with_columns(pl.when(at).then(pl.col(column) * 1.01).otherwise(pl.col(column))))


@pytest.mark.parametrize(
    ("day", "months"),
    [
        (date(2021, 7, 1), {"2021-07"}),
        (date(2021, 7, 30), {"2021-07", "2021-08"}),
        (date(2022, 4, 8), {"2022-04"}),
    ],
)
def test_a_corrected_bar_rebuilds_the_months_that_read_it(
    day: date, months: set[str], frames: Frames, short: Dataset, tmp_path: Path
) -> None:
    build(frames.history(), short, tmp_path / "dataset")
    written = inodes(tmp_path / "dataset")
    build(corrected(frames, day, "Open").history(), short, tmp_path / "dataset")
    again = changed(written, inodes(tmp_path / "dataset"))
    assert {name for name in again if name.startswith("features/")} == {f"features/{month}.parquet" for month in months}


def test_a_changed_sector_rebuilds_the_stocks_months(frames: Frames, short: Dataset, tmp_path: Path) -> None:
    build(frames.history(), short, tmp_path / "dataset")
    written = inodes(tmp_path / "dataset")
    moved = pl.when(pl.col("Code") == "1315").then(pl.lit("sector 9")).otherwise(pl.col("Sector33"))
    build(replace(frames, listed=frames.listed.with_columns(Sector33=moved)).history(), short, tmp_path / "dataset")
    assert changed(written, inodes(tmp_path / "dataset")) == set(written)


@pytest.mark.parametrize(
    ("change", "again"),
    [
        (lambda p: replace(p, clip=4.0), True),
        (lambda p: replace(p, graph=replace(p.graph, neighbours=2)), True),
        (lambda p: replace(p, features="core"), True),
        (lambda p: replace(p, horizons=[1, 2]), False),
        (lambda p: replace(p, split=replace(p.split, embargo=6)), False),
    ],
    ids=["clip", "graph", "features", "horizons", "split"],
)
def test_a_changed_parameter_rebuilds_the_months_that_depend_on_it(
    change: Callable[[Dataset], Dataset], again: bool, frames: Frames, params: Dataset, march: Path
) -> None:
    written = inodes(march)
    build(frames.until(date(2022, 3, 31)).history(), change(params), march)
    assert changed(written, inodes(march)) == (set(written) if again else set())


@pytest.mark.slow
def test_dvcs_cache_grows_only_by_new_content(march: Path, frames: Frames, params: Dataset, tmp_path: Path) -> None:
    """With the real DVC, whose cache is content-addressed."""

    def stored() -> dict[str, int]:
        for command in (["add", "--quiet", "dataset"], ["status", "--quiet"]):
            subprocess.run([dvc, *command], cwd=tmp_path, check=True)
        root = tmp_path / ".dvc/cache/files/md5"
        return {path.relative_to(root).as_posix(): path.stat().st_size for path in root.rglob("*") if path.is_file()}

    dvc = str(Path(sys.executable).parent / "dvc")
    subprocess.run([dvc, "init", "--no-scm", "--quiet"], cwd=tmp_path, check=True)
    before = stored()
    build(frames.history(), params, march)
    after = stored()
    new = {name for name in after if name not in before}
    content = bytes_of(march)
    fresh = {name for name in content if name.endswith("2022-04.parquet")} | {"targets/2022-03.parquet"}
    fresh |= {"contents.json", "split.json"}
    md5 = {hashlib.md5(content[name]).hexdigest() for name in fresh}
    files = {name for name in new if not name.endswith(".dir")}
    assert {name.replace("/", "") for name in files} == md5
    assert len(new) == len(files) + 1  # the list of the folder
    assert sum(after[name] for name in files) < 0.2 * sum(after.values())
