"""Benchmark of the dataset build: full size, against pandas and qlib, against the I/O floor, profile, scaling.

    python benchmarks/dataset.py [--size full] [--runs 3] [--qlib-python PYTHON] [--out FILE]

Prints Markdown, and writes it to FILE. The markets are synthetic, in a temporary folder; the pipeline's stage builds
the dataset in a separate process, with a warm page cache. Measurements are repeated `--runs` times, interleaved, and
the median is reported. `--size small` is a smoke test of a few minutes; its figures mean nothing. `--qlib-python` (or
GOGOOKU3_QLIB_PYTHON) is an interpreter with `pyqlib`, in a separate environment because of its dependencies:
`python -m venv V && V/bin/pip install pyqlib`.

The sizes 2 and 0.5 have twice and half the sessions, for all stocks: a dataset grows in sessions, and memory must not
grow with it. A tenth of the sessions is shorter than the longest lookback, so size 0.1 has a tenth of the stocks, and
half of the stocks is measured in addition to half of the sessions.

Needs 20 GB of disk for the temporary folder (TMPDIR) and 8 GB of memory for the market of twice the size.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from measures.document import commit
from measures.market import Built, Market
from measures.processes import measured
from measures.report import Figures, markdown
from measures.shares import Profile, shares
from peers.comparison import Comparison, compare, panel_of

from gogooku3.assembly.history import History


@dataclass(frozen=True)
class Size:
    """Size of the full market."""

    stocks: int
    peer_stocks: int
    """Stocks of the market for pandas and qlib, over the same sessions."""


@dataclass(frozen=True)
class Scale:
    """A market as a multiple of the full one; all end on the same day."""

    of_stocks: float = 1.0
    start: str = "2020-09-06"
    split: tuple[str, ...] = ()
    """Overrides of tier 1's splits, if there are too few sessions for them."""


SIZES = {"full": Size(3800, 500), "small": Size(60, 20)}
FULL = "1"
SCALES = {
    "0.1 (stocks)": Scale(of_stocks=0.1),
    "0.5 (stocks)": Scale(of_stocks=0.5),
    "0.5 (sessions)": Scale(
        start="2023-03-06",
        split=(
            "dataset.split.train_from=2023-03-06",
            "dataset.split.validation_from=2024-09-02",
            "dataset.split.test_from=2025-03-03",
        ),
    ),
    FULL: Scale(),
    "2 (sessions)": Scale(start="2015-09-06"),
}


def log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def market(folder: Path, stocks: int, scale: Scale) -> Market:
    log(f"making a market of {stocks} stocks from {scale.start} on")
    return Market(folder, [f"quotes.stocks={stocks}", f"quotes.start={scale.start}", *scale.split])


def compared(folder: Path, stocks: int, runs: int, qlib_python: Path | None) -> Comparison:
    """Comparison with pandas and qlib."""
    folder.mkdir()
    bars = History.read(market(folder / "market", stocks, Scale()).quotes).market()
    return compare(panel_of(bars), folder, runs, qlib_python)


def built(folder: Path, stocks: int, runs: int, peers: Comparison) -> Figures:
    """Builds at every scale, the floor of the full size, and its profile."""
    folder.mkdir()
    markets = {
        name: market(folder / f"{number}", round(scale.of_stocks * stocks), scale)
        for number, (name, scale) in enumerate(SCALES.items())
    }
    full = markets[FULL]
    builds: dict[str, list[Built]] = {name: [] for name in markets}
    floors: list[dict[str, float]] = []
    for run in range(runs):
        for name, synthetic in markets.items():
            builds[name].append(synthetic.build())
            cost = builds[name][-1].cost
            log(f"run {run + 1} of {runs}: size {name}: {cost.wall:.1f} s, {cost.cpu:.1f} s CPU time")
            if synthetic is full:
                floors.append(floor(synthetic, folder / "floor"))
                log(f"run {run + 1} of {runs}: the floor: {floors[-1]['wall']:.1f} s")
            synthetic.clear()
    log("profiling one process on one core")
    scales = {name: Built.median(runs_of) for name, runs_of in builds.items()}
    return Figures(
        runs=runs,
        stocks=stocks,
        sessions=full.sessions,
        scales=scales,
        full=scales[FULL],
        floor={clock: statistics.median(seconds[clock] for seconds in floors) for clock in floors[0]},
        shares=shares(Profile(full.profile())),
        peers=peers,
    )


def floor(market: Market, target: Path) -> dict[str, float]:
    """Wall and CPU seconds of writing a market's dataset without computing it."""
    measured(["-m", "measures.floor", str(market.quotes), str(market.dataset), str(target)], target.parent)
    seconds = json.loads((target / "seconds.json").read_text(encoding="utf-8"))
    shutil.rmtree(target)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--qlib-python", type=Path, default=os.environ.get("GOGOOKU3_QLIB_PYTHON"))
    parser.add_argument("--out", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    if options.out and not options.out.parent.is_dir():
        parser.error(f"{options.out.parent} is not a folder")
    size, of_commit = SIZES[options.size], commit()
    with tempfile.TemporaryDirectory() as folder:
        peers = compared(Path(folder) / "peers", size.peer_stocks, options.runs, options.qlib_python)
        figures = built(Path(folder) / "scales", size.stocks, options.runs, peers)
    text = markdown(figures, of_commit)
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
