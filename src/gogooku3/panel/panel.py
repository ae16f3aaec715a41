"""The panel: a dataset as dense arrays, checked against its schema and its table of contents.

The arrays are memory-mapped (`memmap`) and read on use: opening takes seconds at any size, and a panel can be larger
than memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gogooku3.dataset import splits
from gogooku3.dataset.contents import Contents
from gogooku3.dataset.schema import Schema, read_json
from gogooku3.errors import MismatchError
from gogooku3.panel.memmap import open_arrays, target_arrays


@dataclass(frozen=True, eq=False)
class Targets:
    """The part of a panel that scores are evaluated against: T sessions, S stocks, H horizons."""

    sessions: npt.NDArray[np.datetime64]
    """[T], days, ascending."""
    codes: tuple[str, ...]
    """S codes, sorted."""
    present_TS: npt.NDArray[np.bool_]
    """True if the stock has a bar with a close."""
    y_TSH: npt.NDArray[np.float32]
    """Targets: simple forward returns, close to close; NaN if unknown."""
    horizons: tuple[int, ...]
    """H horizons in sessions."""
    split: dict[str, tuple[int, int]]
    """`train`, `validation`, `test`: first and last session, both inclusive."""


@dataclass(frozen=True, eq=False)
class Panel(Targets):
    """Sessions × stocks × features, with targets, graphs and splits.

    Shape letters: T sessions, S stocks, F features, H horizons, G graphs, K neighbours, E edge attributes.
    """

    features: tuple[str, ...]
    """F names, in the schema's order."""
    abi: str
    """SHA-256 of the ordered features; a model's weights require the same ABI."""
    x_TSF: npt.NDArray[np.float32]
    """Normalised features; NaN if a value is missing or the stock has no bar."""
    neighbours_GSK: npt.NDArray[np.int32]
    """Neighbours in descending order of correlation, as positions in `codes`; −1 if there is none."""
    edges_GSKE: npt.NDArray[np.float32]
    """Edge attributes (`schema.EDGE_ATTRIBUTES`); 0 if there is no neighbour."""
    graph_of_T: npt.NDArray[np.int32]
    """Index of the last graph known at each session's close; −1 before the first."""


def read_panel(folder: Path, preprocess: dict[str, Any] | None = None, split: Path | None = None) -> Panel:
    """Reads a dataset.

    Args:
        folder: dataset folder, written by `gogooku3.assembly.build.build`.
        preprocess: content of the `preprocess.json` that a model was trained with; None: the dataset's own.
        split: a file in the format of `split.json`; None: the dataset's own.

    Raises:
        DataError: a file is missing, unreadable, or not listed.
        MismatchError: columns, rows or values do not match the schema and the table of contents, or `preprocess` has
            another feature ABI or clip.
        MachineError: the folder next to the dataset is not writable.
    """
    schema = Schema.read(folder / "schema.json")
    own = read_json(folder / "preprocess.json")
    preprocess = own if preprocess is None else preprocess
    _check_preprocess(preprocess, own, schema)
    mapped = open_arrays(Contents.read(folder), schema, preprocess)
    sessions = mapped.axes.sessions.to_numpy().astype("datetime64[D]")
    return Panel(
        sessions=sessions,
        codes=tuple(mapped.axes.codes),
        features=schema.names,
        abi=schema.abi,
        horizons=schema.horizons,
        split=splits.read(folder / "split.json" if split is None else split, sessions),
        **mapped.arrays,
    )


def read_targets(folder: Path) -> Targets:
    """Reads a dataset's targets and splits, and none of its features; raises like `read_panel`."""
    schema, contents = Schema.read(folder / "schema.json"), Contents.read(folder)
    axes, arrays = target_arrays(list(contents.frames("targets", schema.target_columns)))
    sessions = axes.sessions.to_numpy().astype("datetime64[D]")
    return Targets(
        sessions=sessions,
        codes=tuple(axes.codes),
        horizons=schema.horizons,
        split=splits.read(folder / "split.json", sessions),
        **arrays,
    )


def _check_preprocess(preprocess: dict[str, Any], own: dict[str, Any], schema: Schema) -> None:
    if preprocess["abi"] != schema.abi:
        raise MismatchError(
            f"`preprocess.json` has the feature ABI {preprocess['abi']}, the dataset has {schema.abi}",
            hint="use the dataset that the model was trained with, or one of the same `dataset.features`",
        )
    if preprocess["clip"] != own["clip"]:
        raise MismatchError(
            f"`preprocess.json` clips at {preprocess['clip']}, the dataset was built with {own['clip']}",
            hint="build the dataset with the model's `dataset.clip`",
        )
