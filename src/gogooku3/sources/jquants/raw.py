"""The raw folder: what J-Quants gave, month by month, to which things are added and in which nothing is changed.

```
data/raw/jquants/
    bars/2024-01.1.parquet      the sessions of January that were fetched first
    bars/2024-01.2.parquet      those that came later, and sessions that the exchange has corrected since
    listed/  topix/             likewise
    manifest.json               per month its revisions: files with their hash, rows and sessions, and what they correct
```

Its sessions have no gaps. Of a session, the last revision that has it holds; the ones before stay. A file that the
manifest does not name was left by a run that was killed, and the next run writes it anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import polars as pl
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from gogooku3.errors import DataError
from gogooku3.quotes.table import UNREADABLE, first_line
from gogooku3.runtime.files import sha256_file, write_json, write_parquet
from gogooku3.sources.jquants.answers import COLUMNS, KINDS, Kind, key
from gogooku3.sources.jquants.corrections import Correction

MANIFEST = "manifest.json"

_CHECKED = ConfigDict(extra="forbid", strict=True)
_AGAIN = "get the folder back with `dvc checkout data/raw/jquants.dvc`, or download it into a new one"


@dataclass(frozen=True, config=_CHECKED)
class File:
    """A file of a month, and the sessions that were asked for when it was made."""

    sha256: Annotated[str, Field(pattern=r"\A[0-9a-f]{64}\z")]
    rows: int
    sessions: tuple[date, ...]


@dataclass(frozen=True, config=_CHECKED)
class Revision:
    """What one run added to a month, per kind."""

    files: dict[Kind, File]
    corrects: tuple[Correction, ...]


@dataclass(frozen=True, config=_CHECKED)
class Manifest:
    """The revisions of each month, `2024-01`, oldest first."""

    format: Literal[1]
    months: dict[Annotated[str, Field(pattern=r"\A\d{4}-\d{2}\z")], tuple[Revision, ...]]


_MANIFEST = TypeAdapter(Manifest)


class RawFolder:
    """The raw folder at a path; one that is not there yet is empty."""

    def __init__(self, path: Path) -> None:
        """Raises `DataError` where something else lies at the path."""
        self.path = path
        self.months = dict(sorted(self._manifest().months.items()))

    def sessions(self, month: str) -> list[date]:
        """The sessions of a month that the folder holds, rising."""
        files = (file for revision in self.months.get(month, ()) for file in revision.files.values())
        return sorted({day for file in files for day in file.sessions})

    @property
    def span(self) -> tuple[date, date] | None:
        """The first and the last session that the folder holds."""
        days = [day for month in self.months for day in self.sessions(month)]
        return (days[0], days[-1]) if days else None

    def read(self, kind: Kind, month: str) -> pl.DataFrame:
        """The rows of a month as they hold now, in the order of their key.

        Raises:
            DataError: a file is missing, not as it was downloaded, or cannot be read.
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
        """Adds a revision to a month: per kind the rows of some sessions. It is there as a whole, or not at all."""
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

    def _manifest(self) -> Manifest:
        file = self.path / MANIFEST
        try:
            return _MANIFEST.validate_json(file.read_bytes())
        except FileNotFoundError:
            strangers = [child.name for child in self.path.glob("[!.]*") if child.name not in KINDS]
            if strangers:
                raise DataError(
                    f"`{self.path}` holds `{strangers[0]}` and no `{MANIFEST}`", hint="name a folder of its own"
                ) from None
            return Manifest(1, {})
        except NotADirectoryError:
            raise DataError(f"`{self.path}` is a file", hint="name a folder") from None
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in fault["loc"])
            raise DataError(f"`{file}` is not a manifest: {where} {fault['msg']}", hint=_AGAIN) from None

    def _rows(self, kind: Kind, month: str, number: int, file: File) -> pl.DataFrame:
        path = self._path(kind, month, number)
        try:
            whole = sha256_file(path) == file.sha256
            rows = pl.read_parquet(path, glob=False) if whole else None
        except UNREADABLE as error:
            raise DataError(f"`{path}` cannot be read: {first_line(error)}", hint=_AGAIN) from None
        if rows is None:
            raise DataError(f"`{path}` is not as it was downloaded", hint=_AGAIN)
        return rows

    def _path(self, kind: Kind, month: str, number: int) -> Path:
        return self.path / kind / f"{month}.{number}.parquet"
