from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from gogooku3.assembly import workers
from gogooku3.assembly.build import build
from gogooku3.assembly.history import History
from gogooku3.assembly.month_cache import MonthCache
from gogooku3.assembly.months import units
from gogooku3.config.dataset import Dataset
from gogooku3.errors import DataError, MachineError
from gogooku3.features.month import Month

from .conftest import Frames, bytes_of


@pytest.fixture(scope="module")
def history(frames: Frames, tmp_path_factory: pytest.TempPathFactory) -> History:
    """Two calendar years of quotes on disk: two work units."""
    return History.read(frames.write(tmp_path_factory.mktemp("quotes")))


def test_two_processes_build_the_same_bytes_as_one(
    history: History, params: Dataset, folder: Path, tmp_path: Path
) -> None:
    """`folder` was built by one process."""
    cache = MonthCache(tmp_path / "dataset")
    made = [month for unit in units(history.sessions) for month in unit]
    workers.make_months(units(history.sessions), history, params, cache, processes=2)
    assert sorted(path.stem for path in (cache.folder / "features").iterdir()) == [month.name for month in made]
    features = (cache.folder / "features/2021-05.parquet").stat().st_ino
    build(history, params, tmp_path / "dataset")
    assert bytes_of(tmp_path / "dataset") == bytes_of(folder)
    assert (tmp_path / "dataset/features/2021-05.parquet").stat().st_ino == features  # not rebuilt


def test_an_error_in_a_worker_process_keeps_its_hint(frames: Frames, params: Dataset, tmp_path: Path) -> None:
    quotes = frames.write(tmp_path / "quotes")
    history = History.read(quotes)
    (quotes / "index.parquet").unlink()
    with pytest.raises(DataError, match=r"index\.parquet` does not exist\nhint: "):
        workers.make_months(units(history.sessions), history, params, MonthCache(tmp_path / "dataset"), processes=2)


def _worker_processes() -> list[psutil.Process]:
    """The worker processes of this process's pool."""
    return [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]


@pytest.mark.slow
def test_a_killed_worker_is_an_error_and_the_next_run_finishes_its_months(
    history: History, params: Dataset, folder: Path, tmp_path: Path
) -> None:
    def kill_one() -> None:
        while len(_worker_processes()) < 2:
            time.sleep(0.01)
        _worker_processes()[0].send_signal(signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    with pytest.raises(MachineError, match="one of 2 worker processes was killed"):
        workers.make_months(units(history.sessions), history, params, MonthCache(tmp_path / "dataset"), processes=2)
    killer.join()
    workers.make_months(units(history.sessions), history, params, MonthCache(tmp_path / "dataset"), processes=2)
    build(history, params, tmp_path / "dataset")
    assert bytes_of(tmp_path / "dataset") == bytes_of(folder)


def test_a_small_market_uses_one_process(history: History, params: Dataset) -> None:
    assert workers.process_count(units(history.sessions), history, params) == 1


GIB = 1 << 30


@pytest.mark.parametrize(("gib", "allowed"), [(0.1, 1), (2.0, 1), (1000.0, 5)])
def test_a_large_market_uses_as_many_processes_as_cores_years_and_memory_allow(
    gib: float, allowed: int, history: History, params: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five years of 4,000 stocks and all features: about 2.3 GB per year in progress, and half a GB per process."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=int(gib * GIB)))
    large = History(history.bars, history.listed.sample(4000, with_replacement=True, seed=1), history.index)
    years = [[Month(f"{year}-01", 245 * n, 245 * (n + 1))] for n, year in enumerate(range(2020, 2025))]
    assert workers.process_count(years, large, params) == min(allowed, len(os.sched_getaffinity(0)))
