"""Who does the work: this process, or several that each take units, with the same bytes whoever does them."""

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
from gogooku3.progress import shown

_WORTH_A_PROCESS = 100_000_000
"""Values below which starting another process takes longer than what it saves."""
_BYTES_A_VALUE = 6
"""Memory of a unit for each of its values: 4 as f32, the rest passing."""
_BYTES_A_PROCESS = 1 << 29

_done: Synchronized[float]
"""In a process of the pool: the months done by all of them."""


def make_months(
    units: Sequence[Sequence[Month]],
    history: History,
    params: Dataset,
    cache: MonthCache,
    processes: int | None = None,
) -> None:
    """Makes the months of all units that the workshop does not hold yet, and shows how far they are.

    Args:
        processes: None takes as many as are worthwhile. A history that lies in no folder is one process's.

    Raises:
        DataError: the bars are not what their schema says.
        MachineError: a process that took part was killed.
    """
    months, processes = sum(len(unit) for unit in units), processes or process_count(units, history, params)
    with shown() as show:
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
    with _one_thread_each(), ProcessPoolExecutor(processes, context, _initialize_worker, (done,)) as pool:
        running = {pool.submit(_make, source.FOLDER, unit, quotes, params, cache.target) for unit in units}
        try:
            while running:
                finished, running = wait(running, timeout=0.2, return_when="FIRST_EXCEPTION")
                for future in finished:
                    future.result()
                progress(done.value)
        except BrokenProcessPool:
            raise MachineError(
                f"one of {processes} processes that make months was killed, perhaps for want of memory",
                hint="free some memory and run again: finished months stay",
            ) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def process_count(units: Sequence[Sequence[Month]], history: History, params: Dataset) -> int:
    """The processes that there are cores, units and room in memory for; one where several would save nothing."""
    stocks, features = len(history.listed), len(chosen(params))
    sizes = [(unit[-1].stop - unit[0].start) * stocks * features for unit in units]
    if sum(sizes) < _WORTH_A_PROCESS:
        return 1
    room = int(psutil.virtual_memory().available) // (max(sizes) * _BYTES_A_VALUE + _BYTES_A_PROCESS)
    return max(1, min(len(os.sched_getaffinity(0)), len(units), room))


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes that are started meanwhile leave their libraries one thread."""
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
    """What a process of the pool does first."""
    global _done
    _done = done
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    """A process that outlived a killed build would write into the folder of the next one."""
    first = multiprocessing.parent_process()
    if first is not None:
        first.join()
        os._exit(1)


def _make(folder: Path, unit: Sequence[Month], quotes: Path, params: Dataset, target: Path) -> None:
    source.require_same(folder)

    def advance(share: float) -> None:
        with _done.get_lock():
            _done.value += share

    make_unit(unit, History.read(quotes), params, MonthCache(target), advance)
