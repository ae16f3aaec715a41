"""Fixtures: datasets that are small enough to know their differences by hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from gogooku3.dataset.contents import CONTENTS, write_frame
from gogooku3.dataset.schema import Column, Schema
from gogooku3.runtime.files import write_json

CODES = ("1301", "1332", "1605")
MONTHS = {"2024-01": (4, 5), "2024-02": (1, 2), "2024-03": (1, 4)}
SCHEMA = Schema(
    tuple(Column(f"feature_{i}", "returns", 1, "stock", f"formula {i}", "float32") for i in range(4)),
    horizons=(1, 5),
    neighbours=1,
)


def key(month: str) -> dict[str, list[Any]]:
    year, number = map(int, month.split("-"))
    days = [date(year, number, day) for day in MONTHS[month]]
    return {"Date": [day for day in days for _ in CODES], "Code": [code for _ in days for code in CODES]}


def values(month: str, column: str) -> np.ndarray:
    """Values that depend only on month and column name, not on other columns."""
    place = [*MONTHS].index(month) * 100 + sum(column.encode())
    return (np.arange(6) / 7 + place).astype(np.float32)


def graph_of(month: str) -> pl.DataFrame:
    rows = key(month)
    return pl.DataFrame(
        {
            **rows,
            "Rank": pl.Series([1] * 6, dtype=pl.Int16),
            "Neighbour": [CODES[(CODES.index(code) + 1) % 3] for code in rows["Code"]],
            "Correlation": pl.Series(values(month, "graph") / 1000, dtype=pl.Float32),
            "SameSector": [True, False] * 3,
            "SameSegment": [True] * 6,
        }
    )


@dataclass(frozen=True)
class Made:
    """A dataset's months, schema and settings, to be edited before it is written to a folder."""

    schema: Schema = SCHEMA
    frames: dict[str, pl.DataFrame] = field(default_factory=dict)
    clip: float = 5.0
    first_of_test: str = "2024-03-01"

    @classmethod
    def of(cls, schema: Schema = SCHEMA) -> Made:
        frames = {}
        for month in MONTHS:
            for kind, names in (("features", schema.names), ("targets", [*schema.target_columns][2:])):
                columns = {name: values(month, name) for name in names}
                frames[f"{kind}/{month}.parquet"] = pl.DataFrame(key(month) | columns)
            frames[f"graph/{month}.parquet"] = graph_of(month)
        return cls(schema, frames)

    def with_frame(self, name: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Made:
        return replace(self, frames=self.frames | {name: change(self.frames[name])})

    def without(self, month: str) -> Made:
        return replace(self, frames={name: frame for name, frame in self.frames.items() if month not in name})

    def write(self, folder: Path) -> Path:
        shutil.rmtree(folder, ignore_errors=True)
        write_json({name: write_frame(frame, folder / name) for name, frame in self.frames.items()}, folder / CONTENTS)
        write_json(self.schema.as_json(), folder / "schema.json")
        write_json({"abi": self.schema.abi, "clip": self.clip, "session": {}}, folder / "preprocess.json")
        write_json({"embargo": 5, "test": {"first": self.first_of_test}}, folder / "split.json")
        return folder


def put(name: str, row: int, value: float) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Changes one value in a column."""

    def change(frame: pl.DataFrame) -> pl.DataFrame:
        changed = frame[name].to_numpy().copy()
        changed[row] = value
        return frame.with_columns(pl.Series(name, changed))

    return change


def replace_bytes(path: Path, content: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(content)


def edit_contents(folder: Path, name: str, entry: dict[str, Any]) -> None:
    content = json.loads((folder / CONTENTS).read_text())
    content[name] |= entry
    (folder / CONTENTS).write_text(json.dumps(content))


@pytest.fixture(scope="session")
def made() -> Made:
    return Made.of()
