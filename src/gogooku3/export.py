"""Exports predictions and returns to alphalens and quantstats, so that third-party tools can check the metrics.

alphalens (`alphalens-reloaded`) reads factor data: index (date, asset), a forward return named by its period, such as
`5D`, the `factor` and its `factor_quantile`. There is one file per horizon with exactly the score-target pairs that
the metrics of that horizon use, so its mean information coefficient equals our RankIC and its mean returns by quantile
equal ours. `prices.parquet` is for forward returns that alphalens computes itself. quantstats reads a series of returns
by date.
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
    """Writes the files that alphalens and quantstats read for a split into a new folder.

    - `alphalens/score_<h>.parquet`: index (`date`, `asset`); `<h>D`, `factor`, `factor_quantile`, `group` (sector);
    - `alphalens/prices.parquet`: index `date`, a column per stock; closes adjusted for splits;
    - `quantstats/returns.parquet`: index `date`, the session at whose close a return is realised; `net` and `gross`
      returns of the long-short portfolio and `index`, the return of the market index.

    Args:
        root: root of the working tree in which the pipeline ran.
        split: `validation` or `test`.
        quantiles: number of score quantiles, as in the evaluation.
        folder: output folder.

    Returns:
        Row count per file.

    Raises:
        RefusedError: the output folder exists and is not empty.
        DataError: an output of the pipeline is missing.
    """
    _require_vacant(folder)
    session_returns = _output(root / paths.sessions_of(split))
    quotes, predictions = read(root / paths.QUOTES), read_predictions(root, split)
    sectors = dict(quotes.listed.select("Code", "Sector33").iter_rows())
    frames = {
        f"alphalens/score_{horizon}.parquet": _factor(predictions, position, quantiles, sectors)
        for position, horizon in enumerate(predictions.horizons)
    }
    frames["alphalens/prices.parquet"] = _prices(quotes.bars, predictions.sessions[0])
    frames["quantstats/returns.parquet"] = _returns(pl.read_csv(session_returns, try_parse_dates=True), quotes.index)
    with replaced(folder) as partial:
        _require_vacant(folder)  # another process may have written it before this one's turn
        for name, frame in frames.items():
            (partial / name).parent.mkdir(exist_ok=True)
            frame.to_parquet(partial / name)
    return {name: len(frame) for name, frame in frames.items()}


def _require_vacant(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RefusedError(f"`{folder}` exists and is not empty", hint="choose another folder, or remove it")


def _output(path: Path) -> Path:
    if not path.is_file():
        raise DataError(f"`{path}` does not exist", hint="build it with `dvc repro`, or fetch it with `dvc pull`")
    return path


def _factor(predictions: Predictions, position: int, quantiles: int, sectors: dict[str, str]) -> pd.DataFrame:
    """alphalens factor data of one horizon, without the sessions that the metrics exclude."""
    scores_TS, targets_TS = predictions.scores_TSH[..., position], predictions.targets_TSH[..., position]
    quantile_TS = quantiles_of(scores_TS, targets_TS, quantiles)
    rows = np.nonzero(quantile_TS)
    assets = predictions.codes.to_numpy()[rows[1]]
    index = pd.MultiIndex.from_arrays(
        [predictions.sessions.to_numpy().astype("datetime64[s]")[rows[0]], assets], names=["date", "asset"]
    )
    return pd.DataFrame(
        {
            f"{predictions.horizons[position]}D": targets_TS[rows],
            "factor": scores_TS[rows],
            "factor_quantile": quantile_TS[rows],
            "group": [sectors.get(code, "") for code in assets],
        },
        index=index,
    )


def _prices(bars: pl.DataFrame, first: date) -> pd.DataFrame:
    """Split-adjusted closes from a day on: one row per session, one column per stock."""
    close = pl.col("Close") / pl.col("AdjustmentFactor").cum_prod().over("Code")
    closes = bars.select("Date", "Code", close).filter(pl.col("Date") >= first, pl.col("Close").is_finite())
    wide = closes.pivot("Code", index="Date", values="Close", sort_columns=True).sort("Date")
    return _by_date(wide)


def _returns(session_returns: pl.DataFrame, index: pl.DataFrame) -> pd.DataFrame:
    """Net, gross and index returns, each dated by the session at whose close it is realised."""
    index_returns = index.select("Date", pl.col("Close") / pl.col("Close").shift() - 1).rename({"Close": "index"})
    next_session = index_returns.with_columns(pl.col("Date").shift().alias("set"))
    held = session_returns.filter(pl.col("net").is_not_nan()).select(pl.col("Date").alias("set"), "net", "gross")
    return _by_date(
        held.join(next_session, on="set", how="inner", maintain_order="left").select("Date", "net", "gross", "index")
    )


def _by_date(frame: pl.DataFrame) -> pd.DataFrame:
    dates = pd.DatetimeIndex(frame["Date"].to_numpy().astype("datetime64[s]"), name="date")
    return pd.DataFrame({name: frame[name].to_numpy() for name in frame.columns if name != "Date"}, index=dates)
