"""Compares a pipeline's outputs here with those that a commit records, and finds where they first differ."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gogooku3.errors import StoreError
from gogooku3.recovery.releases import git
from gogooku3.recovery.reproduction.first_difference import FirstDifference, first_difference
from gogooku3.recovery.reproduction.pipeline import Stage
from gogooku3.recovery.sources import open_sources
from gogooku3.recovery.storage.listing import Entry, entries
from gogooku3.recovery.storage.open import open_cache
from gogooku3.recovery.storage.store import Store


@dataclass(frozen=True)
class Compared:
    """One output's hash as recorded and here; None if it was not written here."""

    path: str
    recorded: str
    here: str | None

    @property
    def same(self) -> bool:
        """Whether the output is bitwise identical, for a directory in every file."""
        return self.recorded == self.here


@dataclass(frozen=True)
class ComparedStage:
    """All outputs of one stage."""

    stage: str
    absent: tuple[str, ...]
    """Missing inputs: if there are any, the stage was not run, and its outputs are the recorded ones."""
    outputs: tuple[Compared, ...]

    @property
    def same(self) -> bool:
        """Whether all outputs are the same."""
        return all(output.same for output in self.outputs)


@dataclass(frozen=True)
class Difference:
    """One file that differs, and its first difference."""

    path: str
    first: FirstDifference | None
    note: str = ""
    """Why the first difference is unknown, or how many files of the directory differ."""


def compare(
    recorded: Iterable[Stage], here: Iterable[Stage], absent: Mapping[str, Sequence[str]]
) -> tuple[ComparedStage, ...]:
    """Every recorded output with the hash of the output here, in pipeline order."""
    written = {path: md5 for stage in here for path, md5 in stage.outs.items()}
    return tuple(
        ComparedStage(
            stage.name,
            tuple(absent.get(stage.name, ())),
            tuple(Compared(path, md5, written.get(path)) for path, md5 in stage.outs.items()),
        )
        for stage in recorded
    )


def explain(root: Path, commit: str, stage: ComparedStage, also: Sequence[Path] = ()) -> tuple[Difference, ...]:
    """The first difference of each differing output of a stage; training histories, which show the step, come first.

    Recorded files come from Git or from the first source with an intact copy.

    Args:
        root: the clone in which the stage was run.
        commit: the commit with the recorded outputs.
        also: additional sources of recorded files: see `open_sources`.
    """
    with open_sources(root, also) as sources, tempfile.TemporaryDirectory() as folder:
        stores: list[Store] = []
        with suppress(StoreError):  # stores opened before the error are used; a file that none of them has is reported
            for source in sources:
                stores.append(source)
        recorded = _RecordedFiles(root, commit, stores, Path(folder) / "recorded")
        differences = [recorded.compare(output) for output in stage.outputs if not output.same]
    return tuple(sorted(differences, key=lambda each: (not each.path.endswith("history.json"), each.path)))


@dataclass(frozen=True)
class _RecordedFiles:
    """Recorded files, fetched one at a time, and compared with those here."""

    root: Path
    commit: str
    stores: list[Store]
    copy: Path

    def compare(self, output: Compared) -> Difference:
        if output.here is None or not (self.root / output.path).exists():
            return Difference(output.path, None, "it was not written here")
        if not output.recorded.endswith(".dir"):
            return self._file(output.path, output.recorded)
        recorded = next((listing for store in self.stores if (listing := _listing(store, output.recorded))), None)
        here = _listing(open_cache(self.root), output.here)
        if recorded is None or here is None:
            return Difference(output.path, None, f"no source has its recorded listing, {output.recorded}")
        return self._directory(output.path, _by_path(recorded), _by_path(here))

    def _directory(self, path: str, recorded: dict[str, str], here: dict[str, str]) -> Difference:
        """The first file, by path, that differs or that one side lacks."""
        names = sorted(recorded.keys() | here.keys())
        differing = [name for name in names if recorded.get(name) != here.get(name)]
        first = differing[0]
        count = f"{len(differing)} of {len(names)} files differ"
        if first not in recorded or first not in here:
            side = "not recorded" if first in here else "not written here"
            return Difference(f"{path}/{first}", None, f"it is {side}; {count}")
        difference = self._file(f"{path}/{first}", recorded[first])
        note = "; ".join(part for part in (difference.note, count) if part)
        return Difference(difference.path, difference.first, note)

    def _file(self, path: str, md5: str) -> Difference:
        text = git.show(self.root, self.commit, path)
        if text is not None:
            self.copy.write_text(text, encoding="utf-8", errors="surrogateescape", newline="")
        elif not any(self._fetch(store, md5) for store in self.stores):
            return Difference(path, None, f"no source has the recorded file, {md5}")
        return Difference(path, first_difference(self.copy, self.root / path, path))

    def _fetch(self, store: Store, md5: str) -> bool:
        with suppress(StoreError), self.copy.open("wb") as sink:
            stored = store.digest(md5, sink)
            return stored is not None and stored.md5 == md5
        return False


def _listing(store: Store, oid: str) -> list[Entry] | None:
    with suppress(StoreError):
        return entries(oid, store.read(oid))
    return None


def _by_path(listing: Iterable[Entry]) -> dict[str, str]:
    return {entry.path: entry.md5 for entry in listing}
