"""Parses `dvc.lock` into stages in execution order, with the hashes of their dependencies and outputs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import PurePosixPath

import yaml

from gogooku3.errors import DataError
from gogooku3.recovery.untrusted import load_yaml


@dataclass(frozen=True)
class Stage:
    """A recorded stage: hashes of its dependencies and outputs by path, including those in Git (metrics, plots)."""

    name: str
    deps: dict[str, str]
    outs: dict[str, str]


def stages(text: str) -> list[Stage]:
    """Reads a lock file; raises `DataError` if it is not valid.

    A stage comes after the stages on whose outputs it depends; otherwise the order is that of the file.
    """
    try:
        recorded = [
            Stage(name, _hashes(content.get("deps", [])), _hashes(content.get("outs", [])))
            for name, content in load_yaml(text)["stages"].items()
        ]
        return _in_order(recorded)
    except (yaml.YAMLError, CycleError, AttributeError, KeyError, TypeError) as error:
        raise DataError(
            f"`dvc.lock` is not a lock file of a pipeline: {error}", hint="write it with `dvc repro`, and commit it"
        ) from None


def overlap(path: str, other: str) -> bool:
    """Whether two paths are equal, or one contains the other."""
    one, two = PurePosixPath(path), PurePosixPath(other)
    return one.is_relative_to(two) or two.is_relative_to(one)


def _hashes(entries: Iterable[dict[str, str]]) -> dict[str, str]:
    return {entry["path"]: entry["md5"] for entry in entries}


def _in_order(recorded: list[Stage]) -> list[Stage]:
    """Topological order; among stages that are ready, the order of the file."""
    graph = {
        stage.name: [
            other.name
            for other in recorded
            if other is not stage and any(overlap(dep, out) for dep in stage.deps for out in other.outs)
        ]
        for stage in recorded
    }
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    by_name = {stage.name: stage for stage in recorded}
    ready: set[str] = set()
    ordered = []
    while sorter.is_active():
        ready |= set(sorter.get_ready())
        name = next(name for name in by_name if name in ready)
        ready.remove(name)
        sorter.done(name)
        ordered.append(by_name[name])
    return ordered
