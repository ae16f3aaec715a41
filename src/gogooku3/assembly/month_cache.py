"""Where a dataset grows month by month, and what is kept of a month that is done.

For each finished month there is a record: the hash of all that its bytes depend on, and the hash of each of its files.
A month whose inputs and whose files are those of its record is not made again, whether a killed run made it, another
process, another machine whose folder was copied here, or an earlier run, whose files are in DVC's cache. Several
processes may work in one folder: a unit of work belongs to one at a time.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from gogooku3 import paths
from gogooku3.dataset.contents import write_frame
from gogooku3.errors import DataError
from gogooku3.runtime.files import md5_file, write_json


class MonthCache:
    """The folder beside a dataset in which the next one is made."""

    def __init__(self, target: Path, cache: Path | None = None) -> None:
        self.target = target
        self.cache = cache
        """DVC's, from which months of an earlier dataset come; DVC removes the dataset before it is made anew."""
        self.root = target.with_name(f".{target.name}.partial")
        """All of it: what another machine's copy is to be put into."""
        self.folder = self.root / "whole"
        """The files so far."""

    @contextmanager
    def lock(self, *units: str) -> Iterator[None]:
        """Waits until no other process works on these units, and keeps them for the block.

        The system lets go of them when the process ends, however it ends.
        """
        with ExitStack() as held:
            for unit in sorted(units):
                path = self.root / "turns" / unit
                path.parent.mkdir(parents=True, exist_ok=True)
                fcntl.flock(held.enter_context(path.open("w")), fcntl.LOCK_EX)
            yield

    def is_current(self, month: str, inputs: str) -> bool:
        """Whether a month is done already; files of it that the dataset before or DVC's cache has are taken over."""
        record = self._record(month)
        if record is None or record["inputs"] != inputs:
            return False
        return all(self._present(name, file["md5"]) for name, file in record["files"].items())

    def write(self, month: str, recipe: str, inputs: str, frames: dict[str, pl.DataFrame]) -> None:
        """Writes the files of a month, then its record."""
        files = {}
        for name, frame in frames.items():
            entry = write_frame(frame, self.folder / name)
            files[name] = entry | {"md5": md5_file(self.folder / name)}
        record = {"recipe": recipe, "inputs": inputs, "files": files}
        write_json(record | {"sha256": _digest(record)}, self._record_path(month))

    def files(self, month: str, recipe: str) -> dict[str, dict[str, int | str]]:
        """The entries in the table of contents of a month that is done.

        Raises:
            DataError: another process has taken or replaced it meanwhile.
        """
        record = self._record(month)
        if (
            record is None
            or record["recipe"] != recipe
            or not all(
                (self.folder / name).exists() or self._present(name, file["md5"])
                for name, file in record["files"].items()
            )
        ):
            raise DataError(
                f"month {month} in `{self.root}` is not as it was made: another process works there",
                hint="run again when it has ended",
            )
        return {name: {"rows": file["rows"], "sha256": file["sha256"]} for name, file in record["files"].items()}

    def publish(self, files: set[str]) -> None:
        """Puts these files in the place of the dataset, and removes what else lies in the folder.

        Under the dataset's name there is the one before, or this one, or none; never a part of one.
        """
        for path in [path for path in self.folder.rglob("*") if path.is_file()]:
            if path.relative_to(self.folder).as_posix() not in files:
                path.unlink()
        before = self.root / "before"
        shutil.rmtree(before, ignore_errors=True)
        if self.target.exists():
            self.target.rename(before)
        self.folder.rename(self.target)
        shutil.rmtree(before, ignore_errors=True)

    def _record_path(self, month: str) -> Path:
        return self.root / "months" / f"{month}.json"

    def _record(self, month: str) -> dict[str, Any] | None:
        """What is known of a month; None where nothing is, or a record that is damaged or of an earlier version."""
        try:
            record: dict[str, Any] = json.loads(self._record_path(month).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        return record if isinstance(record, dict) and record.pop("sha256", None) == _digest(record) else None

    def _present(self, name: str, md5: str) -> bool:
        """Whether a file with this content is here; one that is not is taken over from where it is."""
        path = self.folder / name
        sources = [path, self.target / name]
        if self.cache is not None:
            sources.append(paths.cached(self.cache, md5))
        for source in sources:
            if source.is_file() and md5_file(source) == md5:
                if source != path:
                    _link(source, path)
                return True
        return False


def _digest(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _link(source: Path, target: Path) -> None:
    """Puts a file under a second name, or a copy of it where that is on another filesystem or one without links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
