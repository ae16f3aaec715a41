"""`diff`: all differences between two experiments, those that most often change results first.

A side is a Git revision or the working tree (None). Everything is read from the side's own files: `params.yaml`,
`dvc.lock`, `requirements.lock`, `metrics/`, the code under `src`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from gogooku3 import paths
from gogooku3.errors import DataError
from gogooku3.features.feature import Feature
from gogooku3.features.registry import select
from gogooku3.features.subsets import SUBSETS
from gogooku3.recovery.changes import Change, changes
from gogooku3.recovery.releases import git, metrics
from gogooku3.recovery.releases.parameters import differing_parameters, flat, read_errors, sides, text
from gogooku3.recovery.releases.record import SPLITS
from gogooku3.recovery.storage import lock

_SPLIT = "dataset.split."
_DATA = (str(paths.QUOTES), str(paths.DATASET))
_SCHEMA = str(paths.PACKAGE / "schema.json")
_SOURCE = str(paths.SOURCE)


@dataclass(frozen=True)
class CodeChange:
    """Changed code in one package of the source: files, and lines added and removed."""

    room: str
    files: int
    added: int
    removed: int


@dataclass(frozen=True)
class Diff:
    """All differences by section; an empty section means that both sides are equal in it."""

    parameters: list[Change]
    split: list[Change]
    features: list[Change]
    """Numbers of features by family, and the packaged schema's hash."""
    data: list[Change]
    """Hashes of quotes and dataset."""
    environment: list[Change]
    """Locked versions by library."""
    code: list[CodeChange]
    metrics: list[Change]
    """Dotted names that begin with the split's; an estimate is one value with its interval, None is a metric that a
    side does not have."""


def diff(root: Path, old: str, new: str = git.WORKSPACE) -> Diff:
    """Compares two revisions, or a revision and the working tree (`workspace`).

    Raises:
        GitError: a name is not a revision.
        DataError: a `dvc.lock`, parameters or metrics cannot be read, or neither side has parameters.
    """
    both = sides(root, old, new)
    if all(text(root, side, paths.PARAMS) is None for side in both):
        raise DataError(
            f"neither `{old}` nor `{new}` has a `{paths.PARAMS}` in `{root}`",
            hint="run it in the folder of the project, and name revisions of it",
        )
    parameters = differing_parameters(root, old, new)
    objects = [_objects(root, side) for side in both]
    return Diff(
        parameters=[change for change in parameters if not change.name.startswith(_SPLIT)],
        split=[change for change in parameters if change.name.startswith(_SPLIT)],
        features=_features(parameters) + changes(*({_SCHEMA: side.get(_SCHEMA)} for side in objects)),
        data=changes(*({path: side.get(path) for path in _DATA} for side in objects)),
        environment=changes(*(_locked_versions(text(root, side, paths.REQUIREMENTS)) for side in both)),
        code=_code(root, *both),
        metrics=changes(*(_metrics(root, side) for side in both)),
    )


def _features(parameters: list[Change]) -> list[Change]:
    """Numbers of features by family if the experiments use different feature sets, as this version declares them."""
    changed = next((change for change in parameters if change.name == "dataset.features"), None)
    if changed is None:
        return []
    old, new = (Counter(feature.family for feature in _set(name)) for name in (changed.old, changed.new))
    return [Change(family, old[family], new[family]) for family in old | new if old[family] != new[family]]


def _set(name: Any) -> tuple[Feature, ...]:
    return select(name) if name in SUBSETS else ()


def _objects(root: Path, side: str | None) -> dict[str, str]:
    """Hashes of the stored outputs by path."""
    if text(root, side, paths.LOCK) is None:
        return {}
    return {output.path: output.md5 for output in lock.outputs(root, side)}


def _locked_versions(text: str | None) -> dict[str, str]:
    lines = [line.split("#")[0].strip() for line in (text or "").splitlines()]
    pairs = [line.partition("==") for line in lines if line]
    return {name.strip(): version.strip() for name, _, version in pairs}


def _metrics(root: Path, side: str | None) -> dict[str, Any]:
    tables = {}
    for split in SPLITS:
        path = paths.metrics_of(split)
        if (content := text(root, side, path)) is not None:
            with read_errors(side, path):
                tables[split] = metrics.parse(content)
    return flat(tables)


def _code(root: Path, old: str | None, new: str | None) -> list[CodeChange]:
    """Changed files and lines of code by package."""
    packages: dict[str, list[tuple[int, int]]] = {}
    for path, added, removed in _changed_lines(root, old, new):
        packages.setdefault(_package(path), []).append((added, removed))
    return [
        CodeChange(package, len(files), sum(added for added, _ in files), sum(removed for _, removed in files))
        for package, files in sorted(packages.items())
    ]


def _changed_lines(root: Path, old: str | None, new: str | None) -> list[tuple[str, int, int]]:
    """Path, added and removed lines; a binary file has no lines, and untracked code counts as added."""
    if old is None and new is None:
        return []
    if old is None:
        return [(path, removed, added) for path, added, removed in _changed_lines(root, new, None)]
    sides = [old] if new is None else [old, new]
    options = ("--numstat", "-z", "--relative", "--no-renames", "--no-ext-diff", "--no-textconv")
    rows = git.run(root, "diff", *options, *sides, "--", _SOURCE).split("\0")[:-1]
    cells = [row.split("\t", 2) for row in rows]
    tracked = [(path, _count(added), _count(removed)) for added, removed, path in cells]
    return tracked + (_untracked(root) if new is None else [])


def _count(lines: str) -> int:
    return int(lines) if lines.isdigit() else 0


def _untracked(root: Path) -> list[tuple[str, int, int]]:
    # Only the project's own rules say which files are no code; each user's `core.excludesFile` is another.
    options = ("--others", "-z", "--exclude-per-directory=.gitignore")
    names = git.run(root, "ls-files", *options, "--", _SOURCE).split("\0")[:-1]
    return [(name, (root / name).read_bytes().count(b"\n"), 0) for name in names]


def _package(path: str) -> str:
    """The package of a file: `training` of `src/gogooku3/training/loop.py`, `gogooku3` of `src/gogooku3/paths.py`."""
    parts = PurePosixPath(path).parts[1:-1]
    return "/".join(parts[1:2] or parts) or _SOURCE
