"""Cache of finished months: the folder in which a dataset is built, with cache keys, checksums and locks.

Each finished month has a record: its cache key (hash of its inputs) and the checksum of each of its files. A month
whose inputs and files match its record is a cache hit and is not computed again, no matter who built it: an interrupted
run, another process, another machine whose folder was copied here, or an earlier run, whose files are in DVC's cache.
Several processes can build in one folder: each locks the work unit that it builds.
"""

from __future__ import annotations

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
from gogooku3.runtime.files import exclusive, md5_file, write_json
from gogooku3.runtime.interruption import held


class MonthCache:
    """The build folder next to a dataset, in which its successor is built."""

    def __init__(self, target: Path, cache: Path | None = None) -> None:
        self.target = target
        self.cache = cache
        """DVC's cache: it has the months of earlier datasets, for DVC removes the dataset before a stage reruns."""
        self.root = target.with_name(f".{target.name}.partial")
        """The whole build folder: copy another machine's share into it."""
        self.folder = self.root / "whole"
        """The dataset files built so far."""

    @contextmanager
    def lock(self, *units: str) -> Iterator[None]:
        """Context manager that locks these units; waits while another process has the lock."""
        with ExitStack() as locks:
            for unit in sorted(units):
                locks.enter_context(exclusive(self.root / "turns" / unit))
            yield

    def is_current(self, month: str, inputs: str) -> bool:
        """Whether a month is a cache hit; links its files from the previous dataset or DVC's cache if needed."""
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
        """The table-of-contents entries of a finished month.

        Raises:
            DataError: another process has removed or replaced it in the meantime.
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
                f"month {month} in `{self.root}` has changed since it was built: another process is building there",
                hint="run again when that process has ended",
            )
        return {name: {"rows": file["rows"], "sha256": file["sha256"]} for name, file in record["files"].items()}

    def publish(self, files: set[str]) -> None:
        """Atomically replaces the dataset with these files; removes all other files from the folder.

        The dataset's path is the previous dataset, the new one, or missing; never a partial one.
        """
        for path in [path for path in self.folder.rglob("*") if path.is_file()]:
            if path.relative_to(self.folder).as_posix() not in files:
                path.unlink()
        before = self.root / "before"
        shutil.rmtree(before, ignore_errors=True)
        with held():
            if self.target.exists():
                self.target.rename(before)
            self.folder.rename(self.target)
        shutil.rmtree(before, ignore_errors=True)

    def _record_path(self, month: str) -> Path:
        return self.root / "months" / f"{month}.json"

    def _record(self, month: str) -> dict[str, Any] | None:
        """The record of a month; None if it is missing, damaged, or written by an earlier version."""
        try:
            record: dict[str, Any] = json.loads(self._record_path(month).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        return record if isinstance(record, dict) and record.pop("sha256", None) == _digest(record) else None

    def _present(self, name: str, md5: str) -> bool:
        """Whether a file with this MD5 is available; links it from the previous dataset or DVC's cache if needed."""
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
    """Hard-links a file, or copies it if the target filesystem differs or has no links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
