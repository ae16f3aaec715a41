"""The schema of a dataset: its ordered features, their ABI, the target horizons and the graph's neighbours."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import polars as pl

from gogooku3.errors import DataError, MismatchError

if TYPE_CHECKING:  # NumPy reads the settings of `numerics` on import: code that only reads a schema must not import it
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
"""Dtype of all features on disk."""

TARGET_PREFIX = "target"

JOINED = "joined"
"""Family of the features from joined tables (`dataset.joined`)."""

Scope = Literal["stock", "rank", "session"]
"""Normalisation of a feature.

`stock`: robust z-score across the session's stocks. `rank`: already a cross-sectional rank, not normalised.
`session`: one value for all stocks; mean and standard deviation are fitted on the training sessions.
"""


def target_name(horizon: int) -> str:
    """The column name of a horizon's forward return."""
    return f"{TARGET_PREFIX}_{horizon}"


@dataclass(frozen=True)
class Column:
    """A feature's entry in the schema."""

    name: str
    family: str
    lookback: int
    scope: Scope
    definition: str
    dtype: str

    @property
    def kind(self) -> tuple[str, ...]:
        """The part of the ABI besides the name: dtype and scope; for joined features the definition too."""
        return (self.dtype, self.scope, self.definition) if self.family == JOINED else (self.dtype, self.scope)


@dataclass(frozen=True)
class Schema:
    """Ordered features, horizons and graph size of a dataset."""

    features: tuple[Column, ...]
    horizons: tuple[int, ...]
    neighbours: int
    """Largest number of neighbours per stock (K)."""

    @classmethod
    def read(cls, path: Path) -> Schema:
        """Reads `schema.json`.

        Raises:
            DataError: it is missing or not a schema.
            MismatchError: it has a target among the features (leakage), a duplicate feature, or an ABI that does not
                match its features.
        """
        content = read_json(path)
        try:
            columns = tuple(Column(**column) for column in content["features"])
            schema = cls(columns, tuple(content["horizons"]), content["neighbours"])
            abi = content["abi"]
        except (KeyError, TypeError) as error:
            raise DataError(f"`{path}` is not a dataset's schema: {error}", hint=REBUILD) from None
        _refuse_targets(schema.names, path)
        _refuse_duplicates(schema.names, path)
        if abi != schema.abi:
            raise MismatchError(
                f"`{path}` has the ABI {abi}, but its {len(columns)} features have {schema.abi}", hint=REBUILD
            )
        return schema

    @property
    def names(self) -> tuple[str, ...]:
        """The features' names, in order."""
        return tuple(column.name for column in self.features)

    @property
    def abi(self) -> str:
        """SHA-256 of the ordered names with their `kind`; a model's input layer requires the same ABI."""
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


REBUILD = "rebuild the dataset with `dvc repro dataset`"


def read_json(path: Path) -> Any:
    """Reads one of the dataset's JSON files; raises `DataError` if it is missing or not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        if not path.parent.is_dir():
            raise DataError(
                f"`{path.parent}` is not a folder",
                hint="check the path; `dvc repro dataset` builds the dataset of a repository",
            ) from None
        raise DataError(f"`{path}` does not exist", hint=REBUILD) from None
    except ValueError as error:
        raise DataError(f"`{path}` is not JSON: {error}", hint=REBUILD) from None


def check_columns(actual: dict[str, pl.DataType], expected: dict[str, pl.DataType], path: Path) -> None:
    """Compares a file's columns with the schema's.

    Raises:
        MismatchError: columns are missing, added, reordered or of another dtype; the message lists all of them.
    """
    _refuse_targets([name for name in actual if name not in expected], path)
    difference = differences(actual, expected)
    if difference:
        raise MismatchError(f"`{path}` does not have the columns of its schema: {difference}", hint=REBUILD)


def differences(actual: dict[str, T], expected: dict[str, T]) -> str:
    """Lists and counts the columns that are missing, added, of another dtype or reordered; "" if there are none."""
    if list(actual.items()) == list(expected.items()):
        return ""
    changes = {
        "missing": [name for name in expected if name not in actual],
        "added": [name for name in actual if name not in expected],
        "retyped": [
            f"{name} ({actual[name]} for {dtype})"
            for name, dtype in expected.items()
            if name in actual and actual[name] != dtype
        ],
    }
    if not changes["missing"] and not changes["added"]:
        pairs = zip(actual, expected, strict=True)
        changes["reordered"] = [f"{name} where {wanted} belongs" for name, wanted in pairs if name != wanted]
    return "; ".join(f"{len(names)} {kind}: {_some(names)}" for kind, names in changes.items() if names)


def _refuse_targets(names: Sequence[str], path: Path) -> None:
    targets = [name for name in names if name.startswith(TARGET_PREFIX)]
    if targets:
        raise MismatchError(
            f"`{path}` has forward returns among its features: {_some(targets)}",
            hint=f"a target must never be an input (leakage); {REBUILD}",
        )


def _refuse_duplicates(names: Sequence[str], path: Path) -> None:
    duplicates = sorted({name for name in names if names.count(name) > 1})
    if duplicates:
        raise MismatchError(f"`{path}` has {len(duplicates)} duplicate features: {_some(duplicates)}", hint=REBUILD)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def positions(values: pl.Series, known: pl.Series) -> npt.NDArray[np.intp]:
    """The position of each value in `known`."""
    return values.replace_strict(known, range(len(known)), return_dtype=pl.Int64).to_numpy().astype("intp")
