"""I/O floor of a build, without computation: `python -m measures.floor QUOTES DATASET TARGET`.

Reads the bars, and rewrites and hashes the files of an existing dataset like a build: in work units of a calendar year,
with one process per core, the same frames and the same bytes. Each frame is loaded before its time starts. Writes
TARGET/seconds.json.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from functools import partial
from itertools import groupby
from pathlib import Path

import polars as pl

from gogooku3.dataset.contents import write_frame
from gogooku3.quotes.folder import scan_bars
from gogooku3.runtime.files import sha256_file


def main(quotes: str, dataset: str, target: str) -> None:
    months = sorted(path.stem for path in (Path(dataset) / "features").glob("*.parquet"))
    units = [list(of_year) for _, of_year in groupby(months, lambda month: month[:4])]
    os.environ["POLARS_MAX_THREADS"] = "1"  # one thread per process, as in a build
    context, cores = multiprocessing.get_context("spawn"), len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(min(cores, len(units)), context) as pool:
        timings = list(pool.map(partial(_write, Path(quotes), Path(dataset), Path(target)), units))
    of_process: dict[int, float] = {}
    for process, wall, _ in timings:
        of_process[process] = of_process.get(process, 0.0) + wall
    seconds = {"wall": max(of_process.values()), "cpu": sum(cpu for *_, cpu in timings)}
    (Path(target) / "seconds.json").write_text(json.dumps(seconds), encoding="utf-8")


def _write(quotes: Path, dataset: Path, target: Path, unit: list[str]) -> tuple[int, float, float]:
    """Writes a unit; returns the process ID, and wall and CPU seconds.

    Raises:
        ValueError: a written file differs from the dataset's.
    """
    wall = cpu = 0.0

    def timed(work: Callable[[], None]) -> None:
        nonlocal wall, cpu
        began = time.perf_counter(), time.process_time()
        work()
        wall += time.perf_counter() - began[0]
        cpu += time.process_time() - began[1]

    first, last = (date.fromisoformat(f"{month}-01") for month in (unit[0], unit[-1]))
    days = pl.col("Date").is_between(first, pl.lit(last).dt.month_end())
    timed(lambda: scan_bars(quotes).filter(days).collect(engine="streaming"))
    for source in sorted(path for month in unit for path in dataset.glob(f"*/{month}.parquet")):
        frame, copy = pl.read_parquet(source).rechunk(), target / source.relative_to(dataset)
        timed(partial(_write_file, frame, copy, hashed=source.parent.name != "targets"))
        if sha256_file(copy) != sha256_file(source):
            raise ValueError(f"the rewritten {copy.name} differs from the dataset's")
        copy.unlink()
    return os.getpid(), wall, cpu


def _write_file(frame: pl.DataFrame, path: Path, *, hashed: bool) -> None:
    """Like a build: the files of targets, which each run recomputes, are not hashed."""
    write_frame(frame, path)
    if hashed:
        sha256_file(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
