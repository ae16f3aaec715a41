"""Records of runs in `logs/`, matched with a commit's outputs by hash: another run is never taken for the released one.

A stage that was restored from the run cache, or ran on another machine, has no record here.
"""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from gogooku3 import paths
from gogooku3.recovery.releases import git
from gogooku3.recovery.storage.lock import is_inside
from gogooku3.recovery.untrusted import load_yaml
from gogooku3.runtime.files import md5_file

_T = TypeVar("_T")
_CHECKED = ConfigDict(extra="ignore")
_MODEL, _HISTORY = "model.safetensors", "history.json"


@checked_dataclass(frozen=True, config=_CHECKED)
class StageRun:
    """A run of a stage, as `stages.run_record` writes it."""

    command: str
    started: str
    seconds: float
    outputs: dict[str, str]
    """MD5 by path."""
    machine: dict[str, Any]
    installed: dict[str, str]
    user: str | None
    host: str | None


@checked_dataclass(frozen=True, config=_CHECKED)
class Segment:
    """The part of a run that one process trained."""

    started: str
    seconds: float
    steps: int
    samples: int


@checked_dataclass(frozen=True, config=_CHECKED)
class PhaseRun:
    """A finished run of a phase, as `training.run_log` writes it."""

    segments: list[Segment]
    outputs: dict[str, str]
    """MD5 by file name."""


@dataclass(frozen=True)
class Phase:
    """A phase of a commit: of the model, of a further member of an ensemble, or of a walk-forward fold."""

    name: str
    """`gat`, `member_2/gat` or `fold_3/gat`: the path of its logs, without the run."""
    stage: str
    files: dict[str, str] = field(default_factory=dict)
    """Paths by file name: its outputs that identify its run."""

    @property
    def in_fold(self) -> bool:
        """Whether it belongs to a fold, whose output has no weights of it."""
        return _MODEL not in self.files


def stages_of(root: Path, commit: str) -> dict[str, list[str]]:
    """The paths of the outputs of each stage in a commit's `dvc.lock`."""
    text = git.show(root, commit, paths.LOCK)
    stages = {} if text is None else load_yaml(text)["stages"]
    return {name: [out["path"] for out in entry.get("outs", [])] for name, entry in stages.items()}


def phases_of(root: Path, stages: dict[str, list[str]]) -> list[Phase]:
    """The phases of a commit whose outputs are in the working tree."""
    found: dict[str, Phase] = {}
    for stage, path in ((stage, PurePosixPath(path)) for stage, outs in stages.items() for path in outs):
        if path.parent.parent == PurePosixPath(paths.MODELS) and path.name in (_MODEL, _HISTORY):
            if path.parent != PurePosixPath(paths.PACKAGE):
                name = path.parent.name
                found.setdefault(name, Phase(name, stage)).files[path.name] = str(path)
        elif path.parent == PurePosixPath(paths.MEMBERS):
            for file in sorted((root / path).glob(f"*/{_MODEL}")):
                name = f"{paths.member_logs(path.name).name}/{file.parent.name}"
                own = file.parent.relative_to(root)
                found[name] = Phase(name, stage, {each: str(own / each) for each in (_MODEL, _HISTORY)})
        elif path.parent == PurePosixPath(paths.fold_model("")):
            for file in sorted((root / path / "history").glob("*.json")):
                name = f"{paths.fold_logs(path.name).name}/{file.stem}"
                found[name] = Phase(name, stage, {_HISTORY: str(file.relative_to(root))})
    return list(found.values())


def stage_runs(root: Path, stages: dict[str, list[str]]) -> dict[str, StageRun | None]:
    """The newest recorded run of each stage whose outputs are those of the working tree; None without one."""
    digest = _digests(root)
    records = sorted(_read_all(root / paths.RUNS, "*.json", StageRun), key=lambda pair: pair[1].started)
    runs: dict[str, StageRun | None] = dict.fromkeys(stages)
    for stage, outs in stages.items():
        for _, record in records:
            if record.outputs and all(
                _within(path, outs) and digest(path) == md5 for path, md5 in record.outputs.items()
            ):
                runs[stage] = record
    return runs


def phase_runs(root: Path, phases: list[Phase]) -> dict[str, tuple[Path, PhaseRun] | None]:
    """The recorded run of each phase with its timing's file; None if none has the outputs of the working tree."""
    digest = _digests(root)
    runs: dict[str, tuple[Path, PhaseRun] | None] = {phase.name: None for phase in phases}
    for phase in phases:
        hashes = {name: digest(path) for name, path in phase.files.items()}
        for file, run in _read_all(root / paths.TRAINING_LOGS, f"{glob.escape(phase.name)}-*.json", PhaseRun):
            same = all(md5 is not None and run.outputs.get(name) == md5 for name, md5 in hashes.items())
            # The history of a phase without steps does not depend on its weights.
            if same and not (phase.in_fold and not any(segment.steps for segment in run.segments)):
                runs[phase.name] = file, run
    return runs


def _read_all(folder: Path, pattern: str, kind: type[_T]) -> Iterator[tuple[Path, _T]]:
    """The valid records in a folder, by path; others are of no use."""
    for file in sorted(folder.glob(pattern)):
        try:
            yield file, TypeAdapter(kind).validate_json(file.read_bytes())
        except (OSError, ValidationError):
            continue


def _digests(root: Path) -> Callable[[str], str | None]:
    """MD5 of files of the working tree, each read once; None if there is no such file."""

    @cache
    def digest(path: str) -> str | None:
        file = root / path
        return md5_file(file) if file.is_file() else None

    return digest


def _within(path: str, outs: list[str]) -> bool:
    return is_inside(path) and any(path == out or path.startswith(f"{out}/") for out in outs)
