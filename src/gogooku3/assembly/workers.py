"""Runs the work units in this process or in a pool of worker processes; the bytes are the same either way."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from gogooku3 import source
from gogooku3.assembly.history import History
from gogooku3.assembly.month_cache import MonthCache
from gogooku3.assembly.months import make_unit
from gogooku3.config.dataset import Dataset
from gogooku3.errors import MachineError
from gogooku3.features.month import Month
from gogooku3.features.registry import chosen
from gogooku3.progress import progress_bar
from gogooku3.runtime.faults import reported
from gogooku3.runtime.interruption import masked_in_children
from gogooku3.runtime.machine import cpus

_MIN_VALUES = 100_000_000
"""Number of feature values below which starting a worker process takes longer than it saves."""
_BYTES_PER_VALUE = 6
"""Memory of a unit per value: 4 bytes as f32, the rest temporary."""
_BYTES_PER_PROCESS = 1 << 29

_done: Synchronized[float]
"""In a worker process: months finished by all workers."""


def make_months(
    units: Sequence[Sequence[Month]],
    history: History,
    params: Dataset,
    cache: MonthCache,
    processes: int | None = None,
) -> None:
    """Computes the months of all units that are not in the cache, with a progress bar.

    Args:
        processes: number of worker processes; None: chosen automatically. A history in memory uses one process.

    Raises:
        DataError: the bars break their schema.
        MachineError: a worker process was killed.
    """
    months, processes = sum(len(unit) for unit in units), processes or process_count(units, history, params)
    with progress_bar() as show:
        if processes == 1 or history.folder is None:
            _in_this_process(units, history, params, cache, lambda done: show("months", done, months))
        else:
            _in_processes(processes, units, history.folder, params, cache, lambda done: show("months", done, months))


def _in_this_process(
    units: Sequence[Sequence[Month]],
    history: History,
    params: Dataset,
    cache: MonthCache,
    progress: Callable[[float], None],
) -> None:
    done = 0.0

    def advance(share: float) -> None:
        nonlocal done
        done += share
        progress(done)

    for unit in units:
        make_unit(unit, history, params, cache, advance)


def _in_processes(
    processes: int,
    units: Sequence[Sequence[Month]],
    quotes: Path,
    params: Dataset,
    cache: MonthCache,
    progress: Callable[[float], None],
) -> None:
    context = multiprocessing.get_context("spawn")
    done = context.Value("d", 0.0)
    with _single_threaded_workers(), ProcessPoolExecutor(processes, context, _initialize_worker, (done,)) as pool:
        with masked_in_children():  # they end with this process, which handles the signals
            running = {pool.submit(_make, source.FOLDER, unit, quotes, params, cache.target) for unit in units}
        try:
            while running:
                finished, running = wait(running, timeout=0.2, return_when="FIRST_EXCEPTION")
                for future in finished:
                    future.result()
                progress(done.value)
        except BrokenProcessPool:
            raise MachineError(
                f"one of {processes} worker processes was killed, perhaps because memory ran out",
                hint="free some memory and run again: finished months are kept",
            ) from None
        except BaseException:
            for process in multiprocessing.active_children():
                process.kill()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def process_count(units: Sequence[Sequence[Month]], history: History, params: Dataset) -> int:
    """Number of worker processes that cores, units and free memory allow; 1 if more would save no time."""
    stocks, features = len(history.listed), len(chosen(params))
    sizes = [(unit[-1].stop - unit[0].start) * stocks * features for unit in units]
    if sum(sizes) < _MIN_VALUES:
        return 1
    in_memory = int(psutil.virtual_memory().available) // (max(sizes) * _BYTES_PER_VALUE + _BYTES_PER_PROCESS)
    return max(1, min(cpus(), len(units), in_memory))


@contextmanager
def _single_threaded_workers() -> Iterator[None]:
    """Limits the libraries of worker processes started in the context to one thread."""
    names = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _initialize_worker(done: Synchronized[float]) -> None:
    """Initialises a worker process."""
    global _done
    _done = done
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    """Exits when the main process dies: a surviving worker would write into the folder of the next build."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _make(folder: Path, unit: Sequence[Month], quotes: Path, params: Dataset, target: Path) -> None:
    source.require_same(folder)

    def advance(share: float) -> None:
        with _done.get_lock():
            _done.value += share

    with reported():
        make_unit(unit, History.read(quotes), params, MonthCache(target), advance)
