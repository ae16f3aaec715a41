"""In a notebook: the highest scores of an evening, and how the model was measured."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

import gogooku3


def main(package: Path, params: Path, quotes: Path) -> pl.DataFrame:
    """The ten highest scores of the last session of a folder of quotes."""
    model = gogooku3.load(package, params=params)
    horizon = model.horizons[0]
    print(model.name, "RankIC on test:", model.metrics["test"]["rank_ic"][str(horizon)])
    bars, listed, index = (pl.read_parquet(quotes / f"{name}.parquet") for name in ("bars", "listed", "index"))
    scores = model.score(bars, listed=listed, index=index)
    best = scores.sort(f"score_{horizon}", descending=True).head(10)
    print(best)
    return best


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
