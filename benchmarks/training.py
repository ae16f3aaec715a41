"""Benchmark of a training step: against other temporal fusion transformers, a loop over features, and peak FLOP/s.

    python benchmarks/training.py [--size full] [--runs 3] [--peers-python PYTHON] [--out FILE]

Prints Markdown, and writes it to FILE. A step is forward, backward and optimizer; every network runs the same shapes
with the same number of threads, interleaved, each in a separate process. `--size small` is a smoke test of a minute;
its figures mean nothing. `--peers-python` (or GOGOOKU3_PEERS_PYTHON) is an interpreter with the peer libraries, in a
separate environment: `python -m venv V && V/bin/pip install torch==2.13.0 && V/bin/pip install pytorch-forecasting
neuralforecast`; without it, only our networks are measured.

Needs 16 GB of memory and, for the panel on disk, 2 GB in the temporary folder (TMPDIR).
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, replace
from pathlib import Path

from steps.comparison import OURS, PEERS, PHASES, compare, fed
from steps.report import Figures, markdown
from steps.shape import Shape

from gogooku3.features.registry import select


@dataclass(frozen=True)
class Size:
    """Shapes to compare: batches of tier 1's size with fewer and all features, shorter and full windows."""

    shapes: tuple[Shape, ...]
    stocks: int
    """Stocks of the panel on disk."""


ALL_FEATURES = len(select("full"))
TIER1 = Shape(
    features=ALL_FEATURES, window=60, sessions=16, stocks=64, hidden=64, heads=4, piece=64, threads=2, product=4096
)
SMALL = Shape(features=4, window=10, sessions=4, stocks=8, hidden=16, heads=2, piece=8, threads=2, product=512)
SIZES = {
    "full": Size(tuple(replace(TIER1, features=f, window=w) for f in (50, ALL_FEATURES) for w in (20, 60)), 3800),
    "small": Size((SMALL, replace(SMALL, features=6, window=20)), 40),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peers-python", type=Path, default=os.environ.get("GOGOOKU3_PEERS_PYTHON"))
    parser.add_argument("--out", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    if options.out and not options.out.parent.is_dir():
        parser.error(f"{options.out.parent} is not a folder")
    size = SIZES[options.size]
    networks = OURS | PEERS | PHASES
    compared = {shape: compare(shape, networks, options.runs, options.peers_python) for shape in size.shapes}
    largest = size.shapes[-1]
    figures = Figures(options.runs, compared, fed(largest, options.runs, size.stocks), size.stocks)
    text = markdown(figures)
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
