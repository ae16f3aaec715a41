"""The raw folder: J-Quants responses by month, append-only.

```
data/raw/jquants/
    bars/2024-01.1.parquet      sessions of January, first download
    bars/2024-01.2.parquet      later sessions, and sessions that the exchange has corrected since
    listed/  topix/             likewise
    manifest.json               per month its revisions: files with SHA-256, rows and sessions, and their corrections
```

The sessions have no gaps. The last revision of a session applies; earlier ones are kept. One process writes at a time
(`writer`). A file that is not in the manifest is a leftover of a killed run; the next run overwrites it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import polars as pl
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from gogooku3.errors import DataError, RefusedError
from gogooku3.quotes.table import UNREADABLE, first_line
from gogooku3.runtime.files import exclusive, sha256_file, write_json, write_parquet
from gogooku3.sources.jquants.corrections import Correction
from gogooku3.sources.jquants.responses import COLUMNS, KINDS, Kind, key

MANIFEST = "manifest.json"
_LOCK = ".download.lock"

_CHECKED = ConfigDict(extra="forbid", strict=True)
_RESTORE = "restore the folder with `dvc checkout data/raw/jquants.dvc`, or download it into a new one"


@dataclass(frozen=True, config=_CHECKED)
class File:
    """A file of a month, with the sessions that it covers."""

    sha256: Annotated[str, Field(pattern=r"\A[0-9a-f]{64}\z")]
    rows: int
    sessions: tuple[date, ...]


@dataclass(frozen=True, config=_CHECKED)
class Revision:
    """The files that one download added to a month, per kind."""

    files: dict[Kind, File]
    corrects: tuple[Correction, ...]


@dataclass(frozen=True, config=_CHECKED)
class Manifest:
    """The revisions of each month, `2024-01`, oldest first."""

    format: Literal[1]
    months: dict[Annotated[str, Field(pattern=r"\A\d{4}-\d{2}\z")], tuple[Revision, ...]]


_MANIFEST = TypeAdapter(Manifest)


class RawFolder:
    """The raw folder at a path; a missing folder is empty."""

    def __init__(self, path: Path) -> None:
        """Raises `DataError` if the path is a file or another folder."""
        self.path = path
        self.months = self._read_months()

    @classmethod
    @contextmanager
    def writer(cls, path: Path) -> Iterator[RawFolder]:
        """Context manager: the raw folder, read after this process has the lock for writing to it.

        Raises:
            RefusedError: another process is writing to it.
            DataError: the path is a file or another folder.
        """

        def busy(process: str) -> RefusedError:
            return RefusedError(
                f"another download to `{path}` is running{process}",
                hint="wait for its end, then run the same command again: it downloads only what is still missing",
            )

        cls(path)  # before a lock file is made in a folder of other files
        with exclusive(path / _LOCK, busy):
            yield cls(path)

    def sessions(self, month: str) -> list[date]:
        """The stored sessions of a month, ascending."""
        files = (file for revision in self.months.get(month, ()) for file in revision.files.values())
        return sorted({day for file in files for day in file.sessions})

    @property
    def span(self) -> tuple[date, date] | None:
        """The first and the last stored session."""
        days = [day for month in self.months for day in self.sessions(month)]
        return (days[0], days[-1]) if days else None

    def read(self, kind: Kind, month: str) -> pl.DataFrame:
        """The current rows of a month (last revisions), sorted by key.

        Raises:
            DataError: a file is missing or damaged (checksum), or cannot be read.
        """
        parts: list[pl.DataFrame] = []
        later: set[date] = set()
        for number, revision in reversed([*enumerate(self.months[month], start=1)]):
            if (file := revision.files.get(kind)) is None:
                continue
            parts.append(self._rows(kind, month, number, file).filter(~pl.col("Date").is_in(list(later))))
            later.update(file.sessions)
        return pl.concat(parts).sort(key(COLUMNS[kind]))

    def add(
        self,
        month: str,
        frames: Mapping[Kind, pl.DataFrame],
        sessions: Mapping[Kind, Sequence[date]],
        corrects: Sequence[Correction],
    ) -> None:
        """Adds a revision to a month: per kind the rows of some sessions. Atomic: the manifest is written last.

        Raises `DataError` if the manifest is no longer the one that was read: another program has replaced it.
        """
        if self._read_months() != self.months:
            raise DataError(
                f"`{self.path / MANIFEST}` has changed since the download began; nothing was written over it",
                hint="run the same command again, and leave the folder alone until it ends",
            )
        number = len(self.months.get(month, ())) + 1
        files: dict[Kind, File] = {}
        for kind in KINDS:
            if sessions[kind]:
                write_parquet(frames[kind], self._path(kind, month, number))
                digest = sha256_file(self._path(kind, month, number))
                files[kind] = File(digest, len(frames[kind]), tuple(sessions[kind]))
        revision = Revision(files, tuple(corrects))
        months = self.months | {month: (*self.months.get(month, ()), revision)}
        self.months = dict(sorted(months.items()))
        write_json(_MANIFEST.dump_python(Manifest(1, self.months), mode="json"), self.path / MANIFEST)

    def _read_months(self) -> dict[str, tuple[Revision, ...]]:
        return dict(sorted(self._manifest().months.items()))

    def _manifest(self) -> Manifest:
        file = self.path / MANIFEST
        try:
            return _MANIFEST.validate_json(file.read_bytes())
        except FileNotFoundError:
            unknown = [child.name for child in self.path.glob("[!.]*") if child.name not in KINDS]
            if unknown:
                raise DataError(
                    f"`{self.path}` has `{unknown[0]}` and no `{MANIFEST}`", hint="choose a separate folder"
                ) from None
            return Manifest(1, {})
        except NotADirectoryError:
            raise DataError(f"`{self.path}` is a file", hint="choose a folder") from None
        except ValidationError as error:
            detail = error.errors(include_url=False, include_input=False)[0]
            key_path = ".".join(str(part) for part in detail["loc"])
            raise DataError(f"`{file}` is not a manifest: {key_path} {detail['msg']}", hint=_RESTORE) from None

    def _rows(self, kind: Kind, month: str, number: int, file: File) -> pl.DataFrame:
        path = self._path(kind, month, number)
        try:
            intact = sha256_file(path) == file.sha256
            rows = pl.read_parquet(path, glob=False) if intact else None
        except UNREADABLE as error:
            raise DataError(f"`{path}` cannot be read: {first_line(error)}", hint=_RESTORE) from None
        if rows is None:
            raise DataError(f"`{path}` has changed since the download (checksum mismatch)", hint=_RESTORE)
        return rows

    def _path(self, kind: Kind, month: str, number: int) -> Path:
        return self.path / kind / f"{month}.{number}.parquet"
