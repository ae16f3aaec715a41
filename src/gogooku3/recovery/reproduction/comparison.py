"""What a pipeline wrote here, held against what a commit records: output by output, and where the two part first."""

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
    """One output's hash as recorded and as it came out here (None: it did not)."""

    path: str
    recorded: str
    here: str | None

    @property
    def same(self) -> bool:
        """Whether every bit is the same, in a directory that of each file."""
        return self.recorded == self.here


@dataclass(frozen=True)
class ComparedStage:
    """All outputs of one stage."""

    stage: str
    absent: tuple[str, ...]
    """Inputs that are not here: with any, the stage was not run, and its outputs are the recorded ones."""
    outputs: tuple[Compared, ...]

    @property
    def same(self) -> bool:
        """Whether all outputs are the same."""
        return all(output.same for output in self.outputs)


@dataclass(frozen=True)
class Difference:
    """One file that came out differently, and where it does first."""

    path: str
    first: FirstDifference | None
    note: str = ""
    """Why the place cannot be told, or how many files of the directory differ."""


def compare(
    recorded: Iterable[Stage], here: Iterable[Stage], absent: Mapping[str, Sequence[str]]
) -> tuple[ComparedStage, ...]:
    """Every recorded output with what was written here, in the order of the pipeline."""
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
    """Where each output of a stage that differs does so first; histories, which tell the step, before all others.

    Recorded files come from Git or from the first place that has them whole.

    Args:
        root: the clone in which the stage was run.
        commit: what was recorded.
        also: where else recorded files may be: see `open_sources`.
    """
    with open_sources(root, also) as sources, tempfile.TemporaryDirectory() as folder:
        stores: list[Store] = []
        with suppress(StoreError):  # what was opened before the error counts; a file that cannot be had is named
            for source in sources:
                stores.append(source)
        evidence = _Evidence(root, commit, stores, Path(folder) / "recorded")
        found = [evidence.output(output) for output in stage.outputs if not output.same]
    return tuple(sorted(found, key=lambda each: (not each.path.endswith("history.json"), each.path)))


@dataclass(frozen=True)
class _Evidence:
    """Recorded files, fetched one by one."""

    root: Path
    commit: str
    stores: list[Store]
    copy: Path

    def output(self, output: Compared) -> Difference:
        if output.here is None or not (self.root / output.path).exists():
            return Difference(output.path, None, "it was not written here")
        if not output.recorded.endswith(".dir"):
            return self._file(output.path, output.recorded)
        recorded = next((listing for store in self.stores if (listing := _listing(store, output.recorded))), None)
        here = _listing(open_cache(self.root), output.here)
        if recorded is None or here is None:
            return Difference(output.path, None, f"no place asked has its recorded listing, {output.recorded}")
        return self._directory(output.path, _by_path(recorded), _by_path(here))

    def _directory(self, path: str, recorded: dict[str, str], here: dict[str, str]) -> Difference:
        """The first file, by its path, that differs or that one side lacks."""
        names = sorted(recorded.keys() | here.keys())
        differing = [name for name in names if recorded.get(name) != here.get(name)]
        first = differing[0]
        count = f"{len(differing)} of {len(names)} files differ"
        if first not in recorded or first not in here:
            side = "not recorded" if first in here else "not written here"
            return Difference(f"{path}/{first}", None, f"it is {side}; {count}")
        found = self._file(f"{path}/{first}", recorded[first])
        return Difference(found.path, found.first, "; ".join(part for part in (found.note, count) if part))

    def _file(self, path: str, md5: str) -> Difference:
        held_by_git = git.show(self.root, self.commit, path)
        if held_by_git is not None:
            self.copy.write_text(held_by_git, encoding="utf-8", errors="surrogateescape", newline="")
        elif not any(self._copied(store, md5) for store in self.stores):
            return Difference(path, None, f"no place asked has the recorded file, {md5}")
        return Difference(path, first_difference(self.copy, self.root / path, path))

    def _copied(self, store: Store, md5: str) -> bool:
        with suppress(StoreError), self.copy.open("wb") as sink:
            held = store.digest(md5, sink)
            return held is not None and held.md5 == md5
        return False


def _listing(store: Store, oid: str) -> list[Entry] | None:
    with suppress(StoreError):
        return entries(oid, store.read(oid))
    return None


def _by_path(listing: Iterable[Entry]) -> dict[str, str]:
    return {entry.path: entry.md5 for entry in listing}
