"""Memory-mapped arrays of a dataset: written once, then read in place by the data loader.

`.<dataset>.panel/<key>/` next to the dataset's folder has one `.npy` file per array of `Panel`. It is a cache, derived
from the dataset on first use; its key is the hash of the dataset's table of contents, its schema, the preprocessing and
this code. Opening it decodes no parquet file. Each opening verifies the checksum of every array, and reads and checks
every dataset file that has been modified since.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from gogooku3.dataset.contents import Contents
from gogooku3.dataset.normalise import standardise
from gogooku3.dataset.schema import EDGE_ATTRIBUTES, GRAPH_COLUMNS, KEY, REBUILD, Schema, positions
from gogooku3.errors import DataError, MachineError, MismatchError
from gogooku3.progress import progress_bar
from gogooku3.runtime.faults import os_error
from gogooku3.runtime.files import exclusive, sha256_file, write_json

ARRAYS = ("x_TSF", "present_TS", "y_TSH", "neighbours_GSK", "edges_GSKE", "graph_of_T")
"""`Panel` documents them."""
_CODE = ("panel/memmap.py", "dataset/normalise.py")
"""Modules that determine the arrays of a dataset; part of the cache key."""
_MAX_CACHED = 2
"""Cache entries kept per dataset, the most recently used: its own, and that of a model with other preprocessing."""
_CHUNK = 1 << 26
"""Bytes per hash."""
_RECORD = "record.json"


@dataclass(frozen=True)
class Axes:
    """Labels of the arrays' session and stock axes."""

    sessions: pl.Series
    """T dates, ascending."""
    codes: pl.Series
    """S codes, sorted."""


@dataclass(frozen=True, eq=False)
class MappedArrays:
    """The memory-mapped arrays of a panel."""

    axes: Axes
    arrays: dict[str, npt.NDArray[Any]]


def open_arrays(contents: Contents, schema: Schema, preprocess: dict[str, Any]) -> MappedArrays:
    """Opens the arrays of a dataset; writes them on a cache miss.

    Raises:
        DataError: a file of the dataset is unreadable, or the numbers of feature and target months differ.
        MismatchError: columns, rows or values do not match the schema and the table of contents.
        MachineError: the folder next to the dataset is not writable.
    """
    root = contents.folder.with_name(f".{contents.folder.name}.panel")
    folder = root / _key(contents, schema, preprocess)
    try:
        if not _is_current(folder, contents, schema):
            with exclusive(root / "lock"):
                if not _is_current(folder, contents, schema):  # another process may have written it in the meantime
                    _write(folder, contents, schema, preprocess)
    except OSError as error:
        cause = os_error(error) or error
        raise MachineError(
            f"the memory-mapped arrays of `{contents.folder}` cannot be written to `{root}`: {cause.strerror or cause}",
            hint="free some space, or link the dataset into a folder that you can write to and use the link",
        ) from None
    with suppress(PermissionError):  # a folder of another user
        os.utime(folder)
    record = _record(folder)
    axes = Axes(pl.Series(record["sessions"]).str.to_date(), pl.Series(record["codes"], dtype=pl.String))
    # Copy on write: torch requires writable memory, and writes never reach the file.
    return MappedArrays(axes, {name: np.load(_path(folder, name), mmap_mode="c") for name in ARRAYS})


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name}.npy"


def _key(contents: Contents, schema: Schema, preprocess: dict[str, Any]) -> str:
    code = [sha256_file(Path(__file__).parents[1] / name) for name in _CODE]
    content = [code, contents.files, schema.as_json(), preprocess]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def _record(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
    return record


def _is_current(folder: Path, contents: Contents, schema: Schema) -> bool:
    """Whether the arrays match their checksums; reads and checks dataset files that were modified since."""
    try:
        record = _record(folder)
        if any(_hashes(_path(folder, name)) != record["arrays"][name] for name in ARRAYS):
            return False
    except (FileNotFoundError, ValueError):
        return False
    stamps = _file_stats(contents)
    modified = [name for name, stamp in stamps.items() if record["stamps"][name] != stamp]
    for name in modified:
        contents.frame(name, schema.columns(name))
    if modified:
        write_json(record | {"stamps": stamps}, folder / _RECORD)
    return True


def _file_stats(contents: Contents) -> dict[str, list[int]]:
    """Size, modification time and inode of each file; if they are unchanged, so is the content."""
    stats = {name: (contents.folder / name).stat() for name in contents.files}
    return {name: [stat.st_size, stat.st_mtime_ns, stat.st_ino] for name, stat in stats.items()}


def _hashes(path: Path) -> list[str]:
    """SHA-256 of each chunk of a file."""

    def of_chunk(start: int) -> str:
        with path.open("rb") as stream:
            stream.seek(start)
            return hashlib.sha256(stream.read(_CHUNK)).hexdigest()

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(of_chunk, range(0, path.stat().st_size, _CHUNK)))


def _write(folder: Path, contents: Contents, schema: Schema, preprocess: dict[str, Any]) -> None:
    """Writes the arrays atomically (temporary folder, then rename); removes all but the last used cache entries."""
    for abandoned in folder.parent.glob("*.partial"):
        shutil.rmtree(abandoned)
    stamps = _file_stats(contents)
    partial = Path(mkdtemp(suffix=".partial", dir=folder.parent))
    try:
        axes = _write_arrays(partial, contents, schema, preprocess)
        record = {
            "sessions": [str(session) for session in axes.sessions],
            "codes": axes.codes.to_list(),
            "stamps": stamps,
            "arrays": {name: _hashes(_path(partial, name)) for name in ARRAYS},
        }
        write_json(record, partial / _RECORD)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    entries = sorted(folder.parent.glob("*/"), key=lambda path: path.stat().st_mtime, reverse=True)
    for stale in entries[_MAX_CACHED:]:
        shutil.rmtree(stale, ignore_errors=True)


def _write_arrays(folder: Path, contents: Contents, schema: Schema, preprocess: dict[str, Any]) -> Axes:
    """Writes the arrays of a dataset into a folder; raises like `open_arrays`."""
    targets = list(contents.frames("targets", schema.target_columns))
    months = contents.names("features")
    if not months or len(months) != len(targets):
        raise DataError(
            f"`{contents.folder}` has {len(months)} months of features and {len(targets)} of targets", hint=REBUILD
        )
    axes, arrays = target_arrays(targets)
    for name, values in (arrays | _graphs(contents, schema.neighbours, axes)).items():
        np.save(_path(folder, name), values)
    _write_features(_path(folder, "x_TSF"), contents, schema, preprocess, targets, axes)
    return axes


def target_arrays(targets: Sequence[pl.DataFrame]) -> tuple[Axes, dict[str, npt.NDArray[Any]]]:
    """Axes, `present_TS` and `y_TSH` from the targets of all months."""
    rows = pl.concat(targets)
    axes = Axes(rows["Date"].unique().sort(), rows["Code"].unique().sort())
    present_TS = np.zeros((len(axes.sessions), len(axes.codes)), np.bool_)
    present_TS[positions(rows["Date"], axes.sessions), positions(rows["Code"], axes.codes)] = True
    return axes, {"present_TS": present_TS, "y_TSH": _dense(rows, axes.sessions, axes.codes)}


def _write_features(
    path: Path,
    contents: Contents,
    schema: Schema,
    preprocess: dict[str, Any],
    targets: Sequence[pl.DataFrame],
    axes: Axes,
) -> None:
    """Writes x_TSF, with `session` features standardised; needs the memory of one month."""
    fitted = {
        position: preprocess["session"][column.name]
        for position, column in enumerate(schema.features)
        if column.scope == "session"
    }
    shape = (len(axes.sessions), len(axes.codes), len(schema.features))
    with path.open("wb") as stream, progress_bar() as show:
        np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
        for done, (name, month_targets) in enumerate(zip(contents.names("features"), targets, strict=True)):
            show("writing memory-mapped arrays", done, len(targets))
            frame = contents.frame(name, schema.feature_columns)
            if not frame.select(*KEY).equals(month_targets.select(*KEY)):
                raise MismatchError(
                    f"`{contents.folder / name}` and the targets of its month have different rows", hint=REBUILD
                )
            x_TSF = _dense(frame, frame["Date"].unique().sort(), axes.codes)
            for position, statistics in fitted.items():
                values_TS = x_TSF[:, :, position].astype(np.float64)
                x_TSF[:, :, position] = standardise(values_TS, statistics, preprocess["clip"])
            x_TSF.tofile(stream)


def _dense(frame: pl.DataFrame, sessions: pl.Series, codes: pl.Series) -> npt.NDArray[np.float32]:
    """[T, S, …] values of the columns after the key; NaN if there is no row."""
    values = np.full((len(sessions), len(codes), frame.width - len(KEY)), np.nan, np.float32)
    values[positions(frame["Date"], sessions), positions(frame["Code"], codes)] = frame.drop(*KEY).to_numpy()
    return values


def _graphs(contents: Contents, neighbours: int, axes: Axes) -> dict[str, npt.NDArray[Any]]:
    """neighbours_GSK, edges_GSKE and graph_of_T."""
    frames = list(contents.frames("graph", GRAPH_COLUMNS))
    edges = pl.concat(frames) if frames else pl.DataFrame(schema=GRAPH_COLUMNS)
    dates = edges["Date"].unique().sort()
    neighbours_GSK = np.full((len(dates), len(axes.codes), neighbours), -1, np.int32)
    edges_GSKE = np.zeros((*neighbours_GSK.shape, len(EDGE_ATTRIBUTES)), np.float32)
    cells = positions(edges["Date"], dates), positions(edges["Code"], axes.codes), edges["Rank"].to_numpy() - 1
    neighbours_GSK[cells] = positions(edges["Neighbour"], axes.codes)
    edges_GSKE[cells] = edges.select(pl.col(EDGE_ATTRIBUTES).cast(pl.Float32)).to_numpy()
    graph_of_T = np.searchsorted(dates.to_numpy(), axes.sessions.to_numpy(), side="right") - 1
    return {"neighbours_GSK": neighbours_GSK, "edges_GSKE": edges_GSKE, "graph_of_T": graph_of_T.astype(np.int32)}
