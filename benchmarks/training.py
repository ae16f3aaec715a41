"""What a training step costs: beside other temporal fusion transformers, a loop over features, and the processor.

    python benchmarks/training.py [--size full] [--runs 3] [--peers-python PYTHON] [--out FILE]

Prints Markdown, and writes it to FILE. A step is forward, backward and optimizer; every network takes steps of the same
shapes with the same threads, in turn, each in a process of its own. `--size small` shows in a minute that everything
works; its figures say nothing. `--peers-python` (or GOGOOKU3_PEERS_PYTHON) names an interpreter with the peers, in an
environment of its own: `python -m venv V && V/bin/pip install torch==2.13.0 && V/bin/pip install pytorch-forecasting
neuralforecast`; without it, ours alone are measured.

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
    """What is compared: batches of tier 1's size with fewer and with all features, shorter and whole windows."""

    shapes: tuple[Shape, ...]
    stocks: int
    """Of the panel on disk."""


EVERY = len(select("full"))
TIER1 = Shape(features=EVERY, window=60, sessions=16, stocks=64, hidden=64, heads=4, piece=64, threads=2, product=4096)
SMALL = Shape(features=4, window=10, sessions=4, stocks=8, hidden=16, heads=2, piece=8, threads=2, product=512)
SIZES = {
    "full": Size(tuple(replace(TIER1, features=f, window=w) for f in (50, EVERY) for w in (20, 60)), 3800),
    "small": Size((SMALL, replace(SMALL, features=6, window=20)), 40),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peers-python", type=Path, default=os.environ.get("GOGOOKU3_PEERS_PYTHON"))
    parser.add_argument("--out", type=Path, help="write the figures there too")
    options = parser.parse_args()
    if options.out and not options.out.parent.is_dir():
        parser.error(f"{options.out.parent} is no folder")
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
