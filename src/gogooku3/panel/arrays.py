"""The arrays of a panel, written from a dataset's files one month at a time.

`ARRAYS` names them; `Panel` says what each holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from gogooku3.dataset.contents import Contents
from gogooku3.dataset.normalise import standardise
from gogooku3.dataset.schema import EDGE_ATTRIBUTES, GRAPH_COLUMNS, KEY, REBUILD, Schema, positions
from gogooku3.errors import DataError, MismatchError
from gogooku3.progress import shown

ARRAYS = ("x_TSF", "present_TS", "y_TSH", "neighbours_GSK", "edges_GSKE", "graph_of_T")


@dataclass(frozen=True)
class Axes:
    """What the rows and columns of the arrays stand for."""

    sessions: pl.Series
    """T dates, rising."""
    codes: pl.Series
    """S codes, sorted."""


def array_path(folder: Path, name: str) -> Path:
    """Where an array lies."""
    return folder / f"{name}.npy"


def write_arrays(folder: Path, contents: Contents, schema: Schema, preprocess: dict[str, Any]) -> Axes:
    """Writes the arrays of a dataset into a folder.

    Raises:
        DataError: a file of the dataset is unreadable, or there are not as many months of features as of targets.
        MismatchError: columns, rows or values are not what schema and table of contents say.
    """
    targets = list(contents.frames("targets", schema.target_columns))
    months = contents.names("features")
    if not months or len(months) != len(targets):
        raise DataError(
            f"`{contents.folder}` has {len(months)} months of features and {len(targets)} of targets", hint=REBUILD
        )
    rows = pl.concat(targets)
    axes = Axes(rows["Date"].unique().sort(), rows["Code"].unique().sort())
    present_TS = np.zeros((len(axes.sessions), len(axes.codes)), np.bool_)
    present_TS[positions(rows["Date"], axes.sessions), positions(rows["Code"], axes.codes)] = True
    arrays = {"present_TS": present_TS, "y_TSH": _dense(rows, axes.sessions, axes.codes)}
    for name, values in (arrays | _graphs(contents, schema.neighbours, axes)).items():
        np.save(array_path(folder, name), values)
    _write_features(array_path(folder, "x_TSF"), contents, schema, preprocess, targets, axes)
    return axes


def _write_features(
    path: Path,
    contents: Contents,
    schema: Schema,
    preprocess: dict[str, Any],
    targets: Sequence[pl.DataFrame],
    axes: Axes,
) -> None:
    """Writes x_TSF, `session` features standardised; holds one month at a time."""
    fitted = {
        place: preprocess["session"][column.name]
        for place, column in enumerate(schema.features)
        if column.scope == "session"
    }
    shape = (len(axes.sessions), len(axes.codes), len(schema.features))
    with path.open("wb") as stream, shown() as show:
        np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
        for done, (name, of_month) in enumerate(zip(contents.names("features"), targets, strict=True)):
            show("laying out months", done, len(targets))
            frame = contents.frame(name, schema.feature_columns)
            if not frame.select(*KEY).equals(of_month.select(*KEY)):
                raise MismatchError(
                    f"`{contents.folder / name}` and the targets of its month have other rows", hint=REBUILD
                )
            x_TSF = _dense(frame, frame["Date"].unique().sort(), axes.codes)
            for place, of_feature in fitted.items():
                values_TS = x_TSF[:, :, place].astype(np.float64)
                x_TSF[:, :, place] = standardise(values_TS, of_feature, preprocess["clip"])
            x_TSF.tofile(stream)


def _dense(frame: pl.DataFrame, sessions: pl.Series, codes: pl.Series) -> npt.NDArray[np.float32]:
    """[T, S, …] values of the columns after the key; NaN where no row is."""
    values = np.full((len(sessions), len(codes), frame.width - len(KEY)), np.nan, np.float32)
    values[positions(frame["Date"], sessions), positions(frame["Code"], codes)] = frame.drop(*KEY).to_numpy()
    return values


def _graphs(contents: Contents, neighbours: int, axes: Axes) -> dict[str, npt.NDArray[Any]]:
    """neighbours_GSK, edges_GSKE and graph_of_T."""
    frames = list(contents.frames("graph", GRAPH_COLUMNS))
    edges = pl.concat(frames) if frames else pl.DataFrame(schema=GRAPH_COLUMNS)
    made = edges["Date"].unique().sort()
    neighbours_GSK = np.full((len(made), len(axes.codes), neighbours), -1, np.int32)
    edges_GSKE = np.zeros((*neighbours_GSK.shape, len(EDGE_ATTRIBUTES)), np.float32)
    place = positions(edges["Date"], made), positions(edges["Code"], axes.codes), edges["Rank"].to_numpy() - 1
    neighbours_GSK[place] = positions(edges["Neighbour"], axes.codes)
    edges_GSKE[place] = edges.select(pl.col(EDGE_ATTRIBUTES).cast(pl.Float32)).to_numpy()
    graph_of_T = np.searchsorted(made.to_numpy(), axes.sessions.to_numpy(), side="right") - 1
    return {"neighbours_GSK": neighbours_GSK, "edges_GSKE": edges_GSKE, "graph_of_T": graph_of_T.astype(np.int32)}
