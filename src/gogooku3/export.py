"""Predictions and returns in the shapes that alphalens and quantstats read, so that others can check the metrics.

alphalens (`alphalens-reloaded`) takes a table with the index (date, asset), a forward return under the name of its
span, such as `5D`, the `factor` and its `factor_quantile`: one file per horizon, of exactly the pairs of score and
target from which the metrics of that horizon are made. Its mean information coefficient is then our RankIC, its mean
returns by quantile are ours. `prices.parquet` is for forward returns that it makes itself. quantstats takes a series of
returns by date.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl

from gogooku3 import paths
from gogooku3.errors import DataError, RefusedError
from gogooku3.evaluation.predictions import Predictions, read_predictions
from gogooku3.metrics.ranking import quantiles_of
from gogooku3.quotes.folder import read
from gogooku3.runtime.files import replaced


def export(root: Path, split: str, quantiles: int, folder: Path) -> dict[str, int]:
    """Writes a new folder with what alphalens and quantstats read of a split.

    - `alphalens/score_<h>.parquet`: index (`date`, `asset`); `<h>D`, `factor`, `factor_quantile`, `group` (sector);
    - `alphalens/prices.parquet`: index `date`, a column per stock; closes adjusted for splits;
    - `quantstats/returns.parquet`: index `date`, the session at whose close a return is earned; `net`, `gross` of the
      portfolio and `index`, the market's.

    Args:
        root: the working tree's root, in which the pipeline was run.
        split: `validation` or `test`.
        quantiles: of the scores, as the evaluation takes them.
        folder: to write.

    Returns:
        Rows by file.

    Raises:
        RefusedError: the folder is there and holds something.
        DataError: an output of the run is absent.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RefusedError(f"`{folder}` is in the way", hint="name another folder, or remove it")
    track = _output(root / paths.sessions_of(split))
    quotes, predictions = read(root / paths.QUOTES), read_predictions(root, split)
    sectors = dict(quotes.listed.select("Code", "Sector33").iter_rows())
    frames = {
        f"alphalens/score_{horizon}.parquet": _factor(predictions, place, quantiles, sectors)
        for place, horizon in enumerate(predictions.horizons)
    }
    frames["alphalens/prices.parquet"] = _prices(quotes.bars, predictions.sessions[0])
    frames["quantstats/returns.parquet"] = _returns(pl.read_csv(track, try_parse_dates=True), quotes.index)
    with replaced(folder) as partial:
        for name, frame in frames.items():
            (partial / name).parent.mkdir(exist_ok=True)
            frame.to_parquet(partial / name)
    return {name: len(frame) for name, frame in frames.items()}


def _output(path: Path) -> Path:
    if not path.is_file():
        raise DataError(f"`{path}` is not there", hint="`dvc repro` makes it; `dvc pull` brings it")
    return path


def _factor(predictions: Predictions, place: int, quantiles: int, sectors: dict[str, str]) -> pd.DataFrame:
    """What alphalens calls factor data, of one horizon, without the sessions that the metrics leave out."""
    scores_TS, targets_TS = predictions.scores_TSH[..., place], predictions.targets_TSH[..., place]
    quantile_TS = quantiles_of(scores_TS, targets_TS, quantiles)
    at = np.nonzero(quantile_TS)
    assets = predictions.codes.to_numpy()[at[1]]
    index = pd.MultiIndex.from_arrays(
        [predictions.sessions.to_numpy().astype("datetime64[s]")[at[0]], assets], names=["date", "asset"]
    )
    return pd.DataFrame(
        {
            f"{predictions.horizons[place]}D": targets_TS[at],
            "factor": scores_TS[at],
            "factor_quantile": quantile_TS[at],
            "group": [sectors.get(code, "") for code in assets],
        },
        index=index,
    )


def _prices(bars: pl.DataFrame, first: date) -> pd.DataFrame:
    """Adjusted closes from a day on, a row per session and a column per stock."""
    close = pl.col("Close") / pl.col("AdjustmentFactor").cum_prod().over("Code")
    closes = bars.select("Date", "Code", close).filter(pl.col("Date") >= first, pl.col("Close").is_finite())
    wide = closes.pivot("Code", index="Date", values="Close", sort_columns=True).sort("Date")
    return _by_date(wide)


def _returns(track: pl.DataFrame, index: pl.DataFrame) -> pd.DataFrame:
    """Net and gross returns and the index's, each under the session at whose close it is earned."""
    levels = index.select("Date", pl.col("Close") / pl.col("Close").shift() - 1).rename({"Close": "index"})
    following = levels.with_columns(pl.col("Date").shift().alias("set"))
    held = track.filter(pl.col("net").is_not_nan()).select(pl.col("Date").alias("set"), "net", "gross")
    return _by_date(
        held.join(following, on="set", how="inner", maintain_order="left").select("Date", "net", "gross", "index")
    )


def _by_date(frame: pl.DataFrame) -> pd.DataFrame:
    dates = pd.DatetimeIndex(frame["Date"].to_numpy().astype("datetime64[s]"), name="date")
    return pd.DataFrame({name: frame[name].to_numpy() for name in frame.columns if name != "Date"}, index=dates)
