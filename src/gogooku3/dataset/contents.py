"""The table of contents (manifest) of a dataset: each parquet file with its row count and content checksum."""

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
    """The parquet files of a dataset's folder; each read verifies schema, row count and checksum (integrity)."""

    folder: Path
    files: dict[str, dict[str, int | str]]

    @classmethod
    def read(cls, folder: Path) -> Contents:
        """Reads `contents.json`.

        Raises:
            DataError: it is missing, not JSON, or lists other parquet files than the folder has.
        """
        files = read_json(folder / CONTENTS)
        on_disk = {path.relative_to(folder).as_posix() for path in folder.rglob("*.parquet")}
        if on_disk != set(files):
            differing = ", ".join(sorted(on_disk.symmetric_difference(files)))
            raise DataError(f"`{folder}` and its `{CONTENTS}` differ in {differing}", hint=REBUILD)
        return cls(folder, files)

    def frames(self, kind: str, columns: dict[str, pl.DataType]) -> Iterator[pl.DataFrame]:
        """The frames of one kind (`features`, `targets`, `graph`) in the order of their months.

        Raises:
            DataError: a file is unreadable.
            MismatchError: its columns differ from the schema, or its rows or values from those that were written.
        """
        for name in self.names(kind):
            yield self.frame(name, columns)

    def names(self, kind: str) -> list[str]:
        """The file names of one kind, in the order of their months."""
        return [name for name in sorted(self.files) if name.startswith(f"{kind}/")]

    def frame(self, name: str, columns: dict[str, pl.DataType]) -> pl.DataFrame:
        """The frame of one file; raises like `frames`."""
        path = self.folder / name
        try:
            frame = pl.read_parquet(path)
        except (PolarsError, OSError) as error:
            raise DataError(f"`{path}` cannot be read: {error}", hint=REBUILD) from None
        check_columns(dict(frame.schema), columns, path)
        expected = self.files[name]
        if frame.height != expected["rows"]:
            raise MismatchError(
                f"`{path}` has {frame.height} rows, `{CONTENTS}` lists {expected['rows']}", hint=REBUILD
            )
        if sha256_frame(frame) != expected["sha256"]:
            raise MismatchError(f"`{path}` has other values than were written (checksum mismatch)", hint=REBUILD)
        return frame
