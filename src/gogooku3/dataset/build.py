"""Builds the dataset's folder from a market: every file of it, the same bytes for the same bars.

==================  ================================================================================
file                content
==================  ================================================================================
features/YYYY-MM    `Date`, `Code`, then the features (f32): one row per bar, sorted by `Date`, `Code`
targets/YYYY-MM     `Date`, `Code`, `target_h` per horizon (f32): the same rows
graph/YYYY-MM       one row per edge of each graph made in the month; no file where none was made
schema.json         the ordered features with lookback, scope and definition; ABI; horizons
preprocess.json     what was fitted on the training sessions, and the clip
split.json          first and last session of train, validation and test
contents.json       rows and content hash of each parquet file
==================  ================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from rich.console import Console
from rich.progress import track

from gogooku3.config.dataset import Dataset, Graph
from gogooku3.dataset import graph, normalise, splits
from gogooku3.dataset.contents import write_frames
from gogooku3.dataset.elementwise import Floats
from gogooku3.dataset.feature import Feature
from gogooku3.dataset.market import Market
from gogooku3.dataset.registry import select
from gogooku3.dataset.schema import Schema, target_name
from gogooku3.dataset.targets import forward_returns
from gogooku3.files import write_json


def build(market: Market, params: Dataset, folder: Path) -> None:
    """Writes the dataset into a fresh folder.

    Raises:
        ConfigError: a feature family is unknown.
        DataError: there are too few sessions for the splits.
    """
    features = select(params.families)
    spans = splits.cut(
        market.sessions,
        params.split,
        horizon=max(params.horizons),
        lookback=max(feature.lookback for feature in features),
    )
    schema = Schema(tuple(feature.column for feature in features), tuple(params.horizons), params.graph.neighbours)
    x_TSF = feature_block(market, features, params.clip, 0, len(market.sessions))
    y_TSH = forward_returns(market, params.horizons)
    target_names = [target_name(horizon) for horizon in params.horizons]
    write_frames(
        chain(
            _monthly(market, "features", schema.names, x_TSF),
            _monthly(market, "targets", target_names, y_TSH),
            _monthly_graphs(market, params.graph),
        ),
        folder,
    )
    write_json(schema.as_json(), folder / "schema.json")
    write_json(_preprocess(schema, x_TSF, spans["train"], market, params.clip), folder / "preprocess.json")
    write_json(splits.as_json(spans, market.sessions, params.split.embargo), folder / "split.json")


def feature_block(
    market: Market, features: Sequence[Feature], clip: float, start: int, stop: int
) -> npt.NDArray[np.float32]:
    """[stop − start, S, F] values of the sessions start … stop − 1 as the files hold them.

    Only these sessions and the longest lookback before them are read: any cut of time into blocks gives the same bits.
    """
    begin = max(0, start - max(feature.lookback for feature in features) + 1)
    history = market.rows(begin, stop)
    x_TSF = np.full((stop - start, len(market.codes), len(features)), np.nan, np.float32)
    for column, feature in enumerate(track(features, "features", console=Console(stderr=True), transient=True)):
        x_TSF[:, :, column] = _as_stored(feature, history, clip)[start - begin :]
    return x_TSF


def _as_stored(feature: Feature, market: Market, clip: float) -> Floats:
    """[T, S] values of the stocks with a bar; a `session` feature stays raw, for its fit belongs to the split."""
    values = feature.values(market)
    if feature.scope == "session":
        values = np.broadcast_to(values[:, None], market.close_TS.shape)
    values_TS = np.where(market.present_TS, values, np.nan)
    return normalise.robust_z(values_TS, clip) if feature.scope == "stock" else values_TS


def _preprocess(
    schema: Schema, x_TSF: npt.NDArray[np.float32], train: tuple[int, int], market: Market, clip: float
) -> dict[str, object]:
    """The content of `preprocess.json`: the `session` features' mean and deviation over the training sessions."""
    first, last = train
    any_stock_T = market.present_TS.argmax(axis=1)
    rows = np.arange(first, last + 1)
    fitted = {
        column.name: normalise.fit(x_TSF[rows, any_stock_T[rows], place].astype(np.float64))
        for place, column in enumerate(schema.features)
        if column.scope == "session"
    }
    return {"abi": schema.abi, "clip": clip, "session": fitted}


def _monthly(
    market: Market, kind: str, names: Sequence[str], values_TSF: npt.NDArray[np.float32]
) -> Iterator[tuple[str, pl.DataFrame]]:
    """File name and frame of each month: one row per bar."""
    codes = np.array(market.codes, object)
    for month, start, stop in _months(market.sessions):
        session, stock = np.nonzero(market.present_TS[start:stop])
        values = _canonical(values_TSF[start:stop][session, stock])
        key = {"Date": market.sessions[start:stop][session], "Code": codes[stock]}
        columns = {name: values[:, place] for place, name in enumerate(names)}
        yield f"{kind}/{month}.parquet", pl.DataFrame({**key, **columns}, schema_overrides={"Code": pl.String})


def _canonical(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """One bit pattern for NaN and one for zero: the sign that either carries depends on the width of vector loops."""
    return np.where(np.isnan(values), np.float32(np.nan), values + np.float32(0.0))


def _monthly_graphs(market: Market, params: Graph) -> Iterator[tuple[str, pl.DataFrame]]:
    """File name and frame of each month in which a graph was made."""
    made = graph.refreshes(len(market.sessions), params)
    for month, start, stop in _months(market.sessions):
        frames = [graph.edges(market, session, params) for session in made if start <= session < stop]
        if frames:
            yield f"graph/{month}.parquet", pl.concat(frames)


def _months(sessions: npt.NDArray[np.datetime64]) -> list[tuple[str, int, int]]:
    """Each month with its first session and the one after its last."""
    months, starts = np.unique(sessions.astype("datetime64[M]"), return_index=True)
    stops = [*starts[1:], len(sessions)]
    return [(str(month), int(start), int(stop)) for month, start, stop in zip(months, starts, stops, strict=True)]
