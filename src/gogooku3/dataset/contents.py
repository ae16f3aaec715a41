"""The table of contents of a dataset: every parquet file with its rows and the hash of what it holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from gogooku3.dataset.schema import REBUILD, check_columns, read_json
from gogooku3.errors import DataError, MismatchError
from gogooku3.runtime.files import sha256_frame, write_parquet

CONTENTS = "contents.json"


def write_frame(frame: pl.DataFrame, path: Path) -> dict[str, int | str]:
    """Writes a parquet file; returns its entry in the table of contents."""
    write_parquet(frame, path)
    return {"rows": frame.height, "sha256": sha256_frame(frame)}


@dataclass(frozen=True)
class Contents:
    """The parquet files of a dataset's folder, read with every check that the table of contents allows."""

    folder: Path
    files: dict[str, dict[str, int | str]]

    @classmethod
    def read(cls, folder: Path) -> Contents:
        """Reads `contents.json`.

        Raises:
            DataError: it is absent, not JSON, or the folder holds other parquet files than it lists.
        """
        files = read_json(folder / CONTENTS)
        found = {path.relative_to(folder).as_posix() for path in folder.rglob("*.parquet")}
        if found != set(files):
            differing = ", ".join(sorted(found.symmetric_difference(files)))
            raise DataError(f"`{folder}` and its `{CONTENTS}` differ in {differing}", hint=REBUILD)
        return cls(folder, files)

    def frames(self, kind: str, columns: dict[str, pl.DataType]) -> Iterator[pl.DataFrame]:
        """The frames of one kind (`features`, `targets`, `graph`) in the order of their months.

        Raises:
            DataError: a file is unreadable, or holds other rows or values than were written.
            MismatchError: its columns are not the schema's.
        """
        for name in self.names(kind):
            yield self.frame(name, columns)

    def names(self, kind: str) -> list[str]:
        """The files of one kind, in the order of their months."""
        return [name for name in sorted(self.files) if name.startswith(f"{kind}/")]

    def frame(self, name: str, columns: dict[str, pl.DataType]) -> pl.DataFrame:
        """One file's frame; raises as `frames` does."""
        path = self.folder / name
        try:
            frame = pl.read_parquet(path)
        except (PolarsError, OSError) as error:
            raise DataError(f"`{path}` cannot be read: {error}", hint=REBUILD) from None
        check_columns(dict(frame.schema), columns, path)
        wanted = self.files[name]
        if frame.height != wanted["rows"]:
            raise MismatchError(f"`{path}` has {frame.height} rows, `{CONTENTS}` says {wanted['rows']}", hint=REBUILD)
        if sha256_frame(frame) != wanted["sha256"]:
            raise MismatchError(f"`{path}` holds other values than were written", hint=REBUILD)
        return frame
