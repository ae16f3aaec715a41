"""The panel: a dataset read back as dense arrays, checked against its schema and its table of contents."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from gogooku3.dataset.axes import places
from gogooku3.dataset.contents import Contents
from gogooku3.dataset.normalise import standardise
from gogooku3.dataset.schema import EDGE_ATTRIBUTES, GRAPH_COLUMNS, REBUILD, Schema, read_json
from gogooku3.dataset.splits import SPLITS
from gogooku3.errors import DataError, MismatchError


@dataclass(frozen=True, eq=False)
class Panel:
    """Sessions × stocks × features, with targets, graphs and splits.

    Shape letters: T sessions, S stocks, F features, H horizons, G graphs, K neighbours, E edge attributes.
    """

    sessions: npt.NDArray[np.datetime64]
    """[T], days, rising."""
    codes: tuple[str, ...]
    """S codes, sorted."""
    features: tuple[str, ...]
    """F names, in the schema's order."""
    abi: str
    """SHA-256 of the ordered features: what a model's weights belong to."""
    x_TSF: npt.NDArray[np.float32]
    """Normalised features; NaN where a value is missing or the stock has no bar."""
    present_TS: npt.NDArray[np.bool_]
    """True where the stock has a bar with a close."""
    y_TSH: npt.NDArray[np.float32]
    """Simple forward returns, close to close; NaN where unknown."""
    horizons: tuple[int, ...]
    """H horizons in sessions."""
    neighbours_GSK: npt.NDArray[np.int32]
    """Neighbours by falling correlation, as positions in `codes`; −1 where there is none."""
    edges_GSKE: npt.NDArray[np.float32]
    """Edge attributes (`schema.EDGE_ATTRIBUTES`); 0 where there is no neighbour."""
    graph_of_T: npt.NDArray[np.int32]
    """The last graph known at each session's close; −1 before the first."""
    split: dict[str, tuple[int, int]]
    """`train`, `validation`, `test`: first and last session, both inside."""


def read_panel(folder: Path, preprocess: dict[str, Any] | None = None) -> Panel:
    """Reads a dataset.

    Args:
        folder: what `gogooku3.dataset.build.build` wrote.
        preprocess: the content of the `preprocess.json` that a model was trained with; None takes the dataset's own.

    Raises:
        DataError: a file is absent, unreadable, or not listed.
        MismatchError: columns, rows or values are not what the schema and the table of contents say, or `preprocess`
            belongs to other features.
    """
    schema = Schema.read(folder / "schema.json")
    own = read_json(folder / "preprocess.json")
    preprocess = own if preprocess is None else preprocess
    _check_preprocess(preprocess, own, schema)
    contents = Contents.read(folder)
    features = list(contents.frames("features", schema.feature_columns))
    targets = list(contents.frames("targets", schema.target_columns))
    if not features or len(features) != len(targets):
        raise DataError(
            f"`{folder}` has {len(features)} months of features and {len(targets)} of targets", hint=REBUILD
        )
    keys = pl.concat([frame.select("Date", "Code") for frame in features])
    sessions, codes = keys["Date"].unique().sort(), keys["Code"].unique().sort()
    present_TS = np.zeros((len(sessions), len(codes)), np.bool_)
    present_TS[places(keys["Date"], sessions), places(keys["Code"], codes)] = True
    x_TSF = _dense(features, sessions, codes)
    for place, column in enumerate(schema.features):
        if column.scope == "session":
            fitted = preprocess["session"][column.name]
            values_TS = x_TSF[:, :, place].astype(np.float64)
            x_TSF[:, :, place] = standardise(values_TS, fitted, preprocess["clip"])
    neighbours_GSK, edges_GSKE, graph_of_T = _graphs(contents, schema.neighbours, sessions, codes)
    return Panel(
        sessions=sessions.to_numpy().astype("datetime64[D]"),
        codes=tuple(codes),
        features=schema.names,
        abi=schema.abi,
        x_TSF=x_TSF,
        present_TS=present_TS,
        y_TSH=_dense(targets, sessions, codes),
        horizons=schema.horizons,
        neighbours_GSK=neighbours_GSK,
        edges_GSKE=edges_GSKE,
        graph_of_T=graph_of_T,
        split=_split(folder / "split.json", sessions),
    )


def _check_preprocess(preprocess: dict[str, Any], own: dict[str, Any], schema: Schema) -> None:
    if preprocess["abi"] != schema.abi:
        raise MismatchError(
            f"`preprocess.json` belongs to features of ABI {preprocess['abi']}, the dataset has {schema.abi}",
            hint="use the dataset that the model was trained with, or one of the same `dataset.features`",
        )
    if preprocess["clip"] != own["clip"]:
        raise MismatchError(
            f"`preprocess.json` clips at {preprocess['clip']}, the dataset was built with {own['clip']}",
            hint="build the dataset with the model's `dataset.clip`",
        )


def _dense(frames: list[pl.DataFrame], sessions: pl.Series, codes: pl.Series) -> npt.NDArray[np.float32]:
    """[T, S, …] values of the columns after the key; NaN where no row is."""
    width = frames[0].width - 2
    values = np.full((len(sessions), len(codes), width), np.nan, np.float32)
    for frame in frames:
        rows = places(frame["Date"], sessions), places(frame["Code"], codes)
        values[rows] = frame.drop("Date", "Code").to_numpy()
    return values


def _graphs(
    contents: Contents, neighbours: int, sessions: pl.Series, codes: pl.Series
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """neighbours_GSK, edges_GSKE and graph_of_T."""
    frames = list(contents.frames("graph", GRAPH_COLUMNS))
    edges = pl.concat(frames) if frames else pl.DataFrame(schema=GRAPH_COLUMNS)
    made = edges["Date"].unique().sort()
    neighbours_GSK = np.full((len(made), len(codes), neighbours), -1, np.int32)
    edges_GSKE = np.zeros((*neighbours_GSK.shape, len(EDGE_ATTRIBUTES)), np.float32)
    place = places(edges["Date"], made), places(edges["Code"], codes), edges["Rank"].to_numpy() - 1
    neighbours_GSK[place] = places(edges["Neighbour"], codes)
    edges_GSKE[place] = edges.select(pl.col(EDGE_ATTRIBUTES).cast(pl.Float32)).to_numpy()
    graph_of_T = np.searchsorted(made.to_numpy(), sessions.to_numpy(), side="right") - 1
    return neighbours_GSK, edges_GSKE, graph_of_T.astype(np.int32)


def _split(path: Path, sessions: pl.Series) -> dict[str, tuple[int, int]]:
    content = read_json(path)
    place = {str(session): row for row, session in enumerate(sessions)}
    try:
        return {name: (place[content[name]["first"]], place[content[name]["last"]]) for name in SPLITS}
    except KeyError as error:
        raise DataError(f"`{path}` and the features' sessions differ in {error}", hint=REBUILD) from None
