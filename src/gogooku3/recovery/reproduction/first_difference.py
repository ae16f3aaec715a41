"""Finds the first difference of two files that should be identical, in terms of their content.

=============  =======================================================================================================
history.json   phase, epoch, step: the first batch, loss, gradient norm, hash of weights or validation that differs, in
               the order of training; and the first difference of their numerical environments
.safetensors   the first tensor by name, its first element; how many tensors differ, and by how much
.parquet       the month in the file's name, the first column, its first row by key
.csv           the first row, its first column
.json          the dotted key
other text     the line
anything else  the byte
=============  =======================================================================================================

Only differences of numbers are computed, so numerics need not be pinned.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from safetensors import safe_open

KEYS = ("Date", "Code")
"""The key columns of a dataset's rows."""

Position = dict[str, str | int]
"""A position in a file, from coarse to fine, such as `epoch`, then `step`."""

_ABSENT = object()


@dataclass(frozen=True)
class FirstDifference:
    """The first difference of two files."""

    where: Position
    recorded: str | None
    """The value in the recorded file; None if it has none."""
    here: str | None
    extent: str = ""
    """The extent of all differences."""

    def __str__(self) -> str:
        position = ", ".join(str(value) if name == "value" else f"{name} {value}" for name, value in self.where.items())
        values = f"{self.recorded or 'nothing'} recorded, {self.here or 'nothing'} here"
        return f"{position}: {values}" + (f"; {self.extent}" if self.extent else "")


def first_difference(recorded: Path, here: Path, name: str) -> FirstDifference:
    """The first difference of two files that differ in at least one byte.

    A file that does not have the format of its name is compared byte by byte.

    Args:
        name: the path of both files, which determines their format.
    """
    kind = "history.json" if Path(name).name == "history.json" else Path(name).suffix
    for compare in (_KINDS.get(kind), _text):
        try:
            difference = compare(recorded, here, name) if compare else None
        except Exception:
            # A file may have any content: after any exception of a reader, the bytes are compared.
            difference = None
        if difference is not None:
            return difference
    return _bytes(recorded, here)


def _history(recorded: Path, here: Path, name: str) -> FirstDifference | None:
    """Compares every number of a phase in training order."""
    old, new = (json.loads(path.read_bytes()) for path in (recorded, here))
    for mine, other in zip_longest(_training_values(old), _training_values(new)):
        if mine != other:
            where, value = mine or other
            new_value = other[1] if other and other[0] == where else None
            values = _shown(value) if mine else None, _shown(new_value)
            return FirstDifference({"phase": new["phase"]} | where, *values, _domains(old, new))
    return _json(recorded, here, name)


def _training_values(history: dict[str, Any]) -> Iterator[tuple[Position, float | str]]:
    """Batches, losses, gradient norms, hashes of weights and validations, with epoch and step."""
    losses, norms = history["step_losses"], history["gradient_norms"]
    fingerprints = {(each["epoch"], each["step"]): each for each in history["fingerprints"]}
    start = 0
    for epoch in history["epochs"]:
        number = epoch["epoch"]
        for step in range(epoch["steps"]):
            at: Position = {"epoch": number, "step": step}
            fingerprint = fingerprints.get((number, step))
            if fingerprint:
                yield at | {"value": "batch"}, fingerprint["batch"]
            yield at | {"value": "loss"}, losses[start + step]
            yield at | {"value": "gradient norm"}, norms[start + step]
            if fingerprint:
                yield at | {"value": "weights"}, fingerprint["weights"]
        yield {"epoch": number, "value": "validation RankIC"}, epoch["validation_rank_ic"]
        start += epoch["steps"]


def _domains(old: dict[str, Any], new: dict[str, Any]) -> str:
    """The first difference of the two numerical environments, a reason for different numbers; empty if none."""
    difference = _leaf(old["environment"], new["environment"], "")
    return f"another domain, in which results need not be bitwise identical: {difference}" if difference else ""


def _tensors(recorded: Path, here: Path, _name: str) -> FirstDifference | None:
    with safe_open(recorded, framework="np") as old, safe_open(here, framework="np") as new:
        names = sorted({*old.keys(), *new.keys()})
        first: FirstDifference | None = None
        differing, largest = 0, 0.0
        for name in names:
            pair = [file.get_tensor(name) if name in file.keys() else None for file in (old, new)]  # noqa: SIM118
            if _bitwise_equal(*pair):
                continue
            differing += 1
            largest = max(largest, _largest(*pair))
            first = first or _element(name, *pair)
    if first is None:
        return None
    by = f", by up to {largest:.3g}" if largest else ""
    return FirstDifference(first.where, first.recorded, first.here, f"{differing} of {len(names)} tensors differ{by}")


def _bitwise_equal(old: np.ndarray | None, new: np.ndarray | None) -> bool:
    return (
        old is not None
        and new is not None
        and _dtype_and_shape(old) == _dtype_and_shape(new)
        and old.tobytes() == new.tobytes()
    )


def _dtype_and_shape(tensor: np.ndarray | None) -> str | None:
    return None if tensor is None else f"{tensor.dtype}{list(tensor.shape)}"


def _largest(old: np.ndarray | None, new: np.ndarray | None) -> float:
    """Largest finite difference of two tensors with the same dtype and shape, 0 for others."""
    if old is None or new is None or _dtype_and_shape(old) != _dtype_and_shape(new) or old.size == 0:
        return 0.0
    with np.errstate(invalid="ignore"):
        gap = np.abs(old.astype(np.float64) - new.astype(np.float64))
    return float(np.max(gap, where=np.isfinite(gap), initial=0.0))


def _element(name: str, old: np.ndarray | None, new: np.ndarray | None) -> FirstDifference:
    """The first element, in memory order, that is not bitwise identical; dtypes and shapes if these differ."""
    if old is None or new is None or _dtype_and_shape(old) != _dtype_and_shape(new):
        return FirstDifference({"tensor": name}, _dtype_and_shape(old), _dtype_and_shape(new))
    bits = [np.ascontiguousarray(tensor).reshape(-1).view(np.uint8).reshape(old.size, -1) for tensor in (old, new)]
    position = int(np.flatnonzero((bits[0] != bits[1]).any(axis=1))[0])
    index = ", ".join(str(axis) for axis in np.unravel_index(position, old.shape))
    values = (_shown(tensor.reshape(-1)[position].item()) for tensor in (old, new))
    return FirstDifference({"tensor": name, "element": f"[{index}]"}, next(values), next(values))


def _table(recorded: Path, here: Path, name: str) -> FirstDifference | None:
    old, new = pl.read_parquet(recorded), pl.read_parquet(here)
    month = Path(name).stem
    at: Position = {"month": month} if re.fullmatch(r"\d{4}-\d{2}", month) else {}
    for index, (mine, other) in enumerate(zip_longest(_columns(old), _columns(new))):
        if mine != other:
            return FirstDifference(at | {"column": index + 1}, mine, other)
    if old.height != new.height:
        return FirstDifference(at | {"rows": "in all"}, str(old.height), str(new.height))
    differing = [column for column in old.columns if not _rows(old[column], new[column]).is_empty()]
    if not differing:
        return None
    rows = _rows(old[differing[0]], new[differing[0]])
    row, column = int(rows[0]), differing[0]
    keys: Position = {key: str(old[key][row]) for key in KEYS if key in old.columns and key not in differing}
    where = at | {"column": column} | (keys or {"row": row + 1})
    extent = f"{len(rows)} of {old.height} rows differ in it; {len(differing)} of {old.width} columns differ"
    return FirstDifference(where, _shown(old[column][row]), _shown(new[column][row]), extent)


def _columns(frame: pl.DataFrame) -> list[str]:
    return [f"{name} ({kind})" for name, kind in frame.schema.items()]


def _rows(old: pl.Series, new: pl.Series) -> pl.Series:
    """Rows in which two columns are not bitwise identical: 0.0 differs from -0.0."""
    if old.dtype in (pl.Float32, pl.Float64):
        kind = pl.UInt32 if old.dtype == pl.Float32 else pl.UInt64
        old, new = (column.reinterpret(dtype=kind) for column in (old, new))
    return old.ne_missing(new).arg_true()


def _rows_of_text(recorded: Path, here: Path, _name: str) -> FirstDifference | None:
    old, new = (list(csv.reader(path.read_text(encoding="utf-8").splitlines())) for path in (recorded, here))
    header = old[0] if old else []
    for number, (mine, other) in enumerate(zip_longest(old, new)):
        if mine is None or other is None:
            return FirstDifference({"rows": "in all"}, str(len(old) - 1), str(len(new) - 1))
        for index, (value, new_value) in enumerate(zip_longest(mine, other)):
            if value != new_value:
                column = header[index] if index < len(header) else str(index + 1)
                where: Position = {"row": number, "column": column} if number else {"column": index + 1}
                return FirstDifference(where, value, new_value)
    return None


def _json(recorded: Path, here: Path, _name: str) -> FirstDifference | None:
    return _leaf(json.loads(recorded.read_bytes()), json.loads(here.read_bytes()), "")


def _leaf(old: Any, new: Any, key: str) -> FirstDifference | None:
    """The first leaf that differs, in the order of the recorded file, then leaves that only the other file has."""
    if isinstance(old, dict) and isinstance(new, dict):
        names = [*old, *(name for name in new if name not in old)]
        pairs = [(f"{key}.{name}" if key else name, old.get(name, _ABSENT), new.get(name, _ABSENT)) for name in names]
    elif isinstance(old, list) and isinstance(new, list):
        items = enumerate(zip_longest(old, new, fillvalue=_ABSENT))
        pairs = [(f"{key}[{index}]", mine, other) for index, (mine, other) in items]
    elif type(old) is type(new) and (old == new or (old != old and new != new)):
        return None
    else:
        return FirstDifference({"key": key}, _shown(old), _shown(new))
    return next((each for name, mine, other in pairs if (each := _leaf(mine, other, name))), None)


def _text(recorded: Path, here: Path, _name: str) -> FirstDifference | None:
    old, new = (path.read_text(encoding="utf-8").splitlines() for path in (recorded, here))
    if any("\0" in line for line in [*old, *new]):
        return None
    for number, (mine, other) in enumerate(zip_longest(old, new), start=1):
        if mine != other:
            return FirstDifference({"line": number}, mine, other)
    return None


def _bytes(recorded: Path, here: Path) -> FirstDifference:
    old, new = recorded.read_bytes(), here.read_bytes()
    offset = next((i for i, (mine, other) in enumerate(zip(old, new, strict=False)) if mine != other), None)
    if offset is None:
        return FirstDifference({"bytes": "in all"}, str(len(old)), str(len(new)))
    return FirstDifference({"byte": offset}, f"0x{old[offset]:02x}", f"0x{new[offset]:02x}")


def _shown(value: Any) -> str | None:
    """A value with enough digits to distinguish it from any other."""
    if value is None or value is _ABSENT:
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


_KINDS: dict[str, Callable[[Path, Path, str], FirstDifference | None]] = {
    "history.json": _history,
    ".safetensors": _tensors,
    ".parquet": _table,
    ".csv": _rows_of_text,
    ".json": _json,
}
