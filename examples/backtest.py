"""A backtest of one's own: scores of many sessions from bars, and the next return of the best fifth."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

import gogooku3


def main(package: Path, params: Path, quotes: Path, first: str) -> pl.DataFrame:
    """Per session: mean return to the next close of the fifth with the highest scores, less that of all stocks.

    Trading at the close of the score's own session is look-ahead: the return starts one session later.
    """
    model = gogooku3.load(package, params=params)
    scores = model.score(quotes, first=first)
    adjusted = pl.col("Close") / pl.col("AdjustmentFactor").cum_prod().over("Code")
    bars = pl.read_parquet(quotes / "bars.parquet").select("Date", "Code", close=adjusted)
    close = pl.col("close")
    later = bars.with_columns(gain=close.shift(-2).over("Code") / close.shift(-1).over("Code") - 1)
    joined = scores.join(later, on=["Date", "Code"]).drop_nulls("gain")
    rank = pl.col(f"score_{model.horizons[0]}").rank(descending=True).over("Date")
    best = rank <= pl.len().over("Date") / 5
    table = joined.group_by("Date").agg(excess=pl.col("gain").filter(best).mean() - pl.col("gain").mean()).sort("Date")
    print(table)
    return table


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]), sys.argv[4])
