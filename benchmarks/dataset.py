"""What the dataset costs: at full size, beside pandas and qlib, above the floor, part by part, and row by row.

    python benchmarks/dataset.py [--size full] [--runs 3] [--qlib-python PYTHON] [--out FILE]

Prints Markdown, and writes it to FILE. The markets are synthetic and lie in a temporary folder; the dataset is made by
the pipeline's own stage, in a process of its own, from files that the system has in memory. Every measurement is made
`--runs` times in turn with the others, and the median counts. `--size small` shows in minutes that everything works;
its figures say nothing. `--qlib-python` (or GOGOOKU3_QLIB_PYTHON) names an interpreter with `pyqlib`, in an environment
of its own, for its dependencies are not ours: `python -m venv V && V/bin/pip install pyqlib`.

Twice and half the size are twice and half the sessions, of all stocks: the axis along which a dataset grows, on which
memory must not. A tenth of the sessions is shorter than the longest lookback, and no dataset can be made of it: a tenth
of the size is a tenth of the stocks, and half of the stocks stands beside half of the sessions.

Needs 20 GB of disk for the temporary folder (TMPDIR) and, to make the market of twice the size, 8 GB of memory.
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
    """How large the whole is."""

    stocks: int
    peer_stocks: int
    """Of the market that pandas and qlib are given too, over the same sessions."""


@dataclass(frozen=True)
class Scale:
    """A market as a multiple of the whole one; all end on the same day."""

    of_stocks: float = 1.0
    start: str = "2020-09-06"
    split: tuple[str, ...] = ()
    """Other splits than those of tier 1, where the sessions are too few for them."""


SIZES = {"full": Size(3800, 500), "small": Size(60, 20)}
WHOLE = "1"
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
    WHOLE: Scale(),
    "2 (sessions)": Scale(start="2015-09-06"),
}


def tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def market(place: Path, stocks: int, scale: Scale) -> Market:
    tell(f"making a market of {stocks} stocks from {scale.start} on")
    return Market(place, [f"quotes.stocks={stocks}", f"quotes.start={scale.start}", *scale.split])


def compared(place: Path, stocks: int, runs: int, qlib_python: Path | None) -> Comparison:
    """Pandas and qlib beside ours."""
    place.mkdir()
    bars = History.read(market(place / "market", stocks, Scale()).quotes).market()
    return compare(panel_of(bars), place, runs, qlib_python)


def built(place: Path, stocks: int, runs: int, peers: Comparison) -> Figures:
    """Datasets at every scale, the floor below the whole one, and where its time goes."""
    place.mkdir()
    markets = {
        name: market(place / f"{number}", round(scale.of_stocks * stocks), scale)
        for number, (name, scale) in enumerate(SCALES.items())
    }
    whole = markets[WHOLE]
    builds: dict[str, list[Built]] = {name: [] for name in markets}
    floors: list[dict[str, float]] = []
    for run in range(runs):
        for name, made in markets.items():
            builds[name].append(made.build())
            cost = builds[name][-1].cost
            tell(f"run {run + 1} of {runs}: size {name}: {cost.wall:.1f} s, {cost.cpu:.1f} s of a processor")
            if made is whole:
                floors.append(floor(made, place / "floor"))
                tell(f"run {run + 1} of {runs}: the floor: {floors[-1]['wall']:.1f} s")
            made.clear()
    tell("profiling one process on one core")
    scales = {name: Built.median(made) for name, made in builds.items()}
    return Figures(
        runs=runs,
        stocks=stocks,
        sessions=whole.sessions,
        scales=scales,
        whole=scales[WHOLE],
        floor={clock: statistics.median(seconds[clock] for seconds in floors) for clock in floors[0]},
        shares=shares(Profile(whole.profile())),
        peers=peers,
    )


def floor(made: Market, target: Path) -> dict[str, float]:
    """Wall and processor seconds in which the dataset of a market can be written."""
    measured(["-m", "measures.floor", str(made.quotes), str(made.dataset), str(target)], target.parent)
    seconds = json.loads((target / "seconds.json").read_text(encoding="utf-8"))
    shutil.rmtree(target)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--qlib-python", type=Path, default=os.environ.get("GOGOOKU3_QLIB_PYTHON"))
    parser.add_argument("--out", type=Path, help="write the figures there too")
    options = parser.parse_args()
    if options.out and not options.out.parent.is_dir():
        parser.error(f"{options.out.parent} is no folder")
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
