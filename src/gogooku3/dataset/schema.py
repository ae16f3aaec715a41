"""The schema of a dataset: its ordered features, their ABI, its horizons and its graph's width."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import polars as pl

from gogooku3.errors import DataError, MismatchError

if TYPE_CHECKING:  # NumPy reads the settings of `numerics` when it loads: who only reads a schema must not load it
    import numpy as np
    import numpy.typing as npt

T = TypeVar("T")

KEY = {"Date": pl.Date(), "Code": pl.String()}
EDGE_ATTRIBUTES = ("Correlation", "SameSector", "SameSegment")
GRAPH_COLUMNS = {
    "Date": pl.Date(),
    "Code": pl.String(),
    "Rank": pl.Int16(),
    "Neighbour": pl.String(),
    "Correlation": pl.Float32(),
    "SameSector": pl.Boolean(),
    "SameSegment": pl.Boolean(),
}
DTYPE = "float32"
"""Of every feature on disk."""

TARGET_PREFIX = "target"

JOINED = "joined"
"""The family of the features that come from tables beside the bars."""

Scope = Literal["stock", "rank", "session"]
"""How a feature is normalised.

`stock`: robust z-score across the session's stocks. `rank`: a rank across the session's stocks already, left as it is.
`session`: one value for all stocks; mean and deviation are fitted on the training sessions.
"""


def target_name(horizon: int) -> str:
    """The column of a horizon's forward return."""
    return f"{TARGET_PREFIX}_{horizon}"


@dataclass(frozen=True)
class Column:
    """A feature as the schema records it."""

    name: str
    family: str
    lookback: int
    scope: Scope
    definition: str
    dtype: str

    @property
    def kind(self) -> tuple[str, ...]:
        """What a model is tied to beside the name: type and scope; where parameters decide the meaning, that too."""
        return (self.dtype, self.scope, self.definition) if self.family == JOINED else (self.dtype, self.scope)


@dataclass(frozen=True)
class Schema:
    """What a dataset holds, in which order."""

    features: tuple[Column, ...]
    horizons: tuple[int, ...]
    neighbours: int
    """Edges a stock has at most (K)."""

    @classmethod
    def read(cls, path: Path) -> Schema:
        """Reads `schema.json`.

        Raises:
            DataError: it is absent or not a schema.
            MismatchError: it names a target among the features, or one of them twice, or its ABI is not that of its
                features.
        """
        content = read_json(path)
        try:
            columns = tuple(Column(**column) for column in content["features"])
            schema = cls(columns, tuple(content["horizons"]), content["neighbours"])
            abi = content["abi"]
        except (KeyError, TypeError) as error:
            raise DataError(f"`{path}` is not a dataset's schema: {error}", hint=REBUILD) from None
        _refuse_targets(schema.names, path)
        _refuse_twice(schema.names, path)
        if abi != schema.abi:
            raise MismatchError(
                f"`{path}` gives the ABI {abi}, but its {len(columns)} features make {schema.abi}", hint=REBUILD
            )
        return schema

    @property
    def names(self) -> tuple[str, ...]:
        """The features' names, in order."""
        return tuple(column.name for column in self.features)

    @property
    def abi(self) -> str:
        """SHA-256 of the ordered names with their `kind`: what a model's input layer is tied to."""
        lines = ("\0".join((column.name, *column.kind)) + "\n" for column in self.features)
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """The content of `schema.json`."""
        return {
            "abi": self.abi,
            "horizons": list(self.horizons),
            "neighbours": self.neighbours,
            "features": [asdict(column) for column in self.features],
        }

    @property
    def feature_columns(self) -> dict[str, pl.DataType]:
        """Columns of a features file."""
        return {**KEY, **dict.fromkeys(self.names, pl.Float32())}

    @property
    def target_columns(self) -> dict[str, pl.DataType]:
        """Columns of a targets file."""
        return {**KEY, **{target_name(horizon): pl.Float32() for horizon in self.horizons}}

    def columns(self, name: str) -> dict[str, pl.DataType]:
        """Columns of a file by its name in the dataset, `features/2023-12.parquet`."""
        of_kind = {"features": self.feature_columns, "targets": self.target_columns, "graph": GRAPH_COLUMNS}
        return of_kind[name.partition("/")[0]]


REBUILD = "make the dataset anew with `dvc repro dataset`"


def read_json(path: Path) -> Any:
    """Reads one of the dataset's JSON files; raises `DataError` where it is absent or not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"`{path}` is not there", hint=REBUILD) from None
    except ValueError as error:
        raise DataError(f"`{path}` is not JSON: {error}", hint=REBUILD) from None


def check_columns(found: dict[str, pl.DataType], expected: dict[str, pl.DataType], path: Path) -> None:
    """Compares a file's columns with the schema's.

    Raises:
        MismatchError: columns are missing, added, in another order or of another type; all are named.
    """
    _refuse_targets([name for name in found if name not in expected], path)
    told = differences(found, expected)
    if told:
        raise MismatchError(f"`{path}` does not have the columns of its schema: {told}", hint=REBUILD)


def differences(found: dict[str, T], expected: dict[str, T]) -> str:
    """Columns that are missing, added, of another type or in another order, counted and named; "" where none is."""
    if list(found.items()) == list(expected.items()):
        return ""
    faults = {
        "missing": [name for name in expected if name not in found],
        "added": [name for name in found if name not in expected],
        "retyped": [
            f"{name} ({found[name]} for {dtype})"
            for name, dtype in expected.items()
            if name in found and found[name] != dtype
        ],
    }
    if not faults["missing"] and not faults["added"]:
        pairs = zip(found, expected, strict=True)
        faults["reordered"] = [f"{has} where {wants} belongs" for has, wants in pairs if has != wants]
    return "; ".join(f"{len(names)} {kind}: {_some(names)}" for kind, names in faults.items() if names)


def _refuse_targets(names: Sequence[str], path: Path) -> None:
    targets = [name for name in names if name.startswith(TARGET_PREFIX)]
    if targets:
        raise MismatchError(
            f"`{path}` holds forward returns where features belong: {_some(targets)}",
            hint=f"a target is never an input; {REBUILD}",
        )


def _refuse_twice(names: Sequence[str], path: Path) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise MismatchError(f"`{path}` names {len(twice)} features twice: {_some(twice)}", hint=REBUILD)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def positions(values: pl.Series, known: pl.Series) -> npt.NDArray[np.intp]:
    """Position in `known` of each value."""
    return values.replace_strict(known, range(len(known)), return_dtype=pl.Int64).to_numpy().astype("intp")
