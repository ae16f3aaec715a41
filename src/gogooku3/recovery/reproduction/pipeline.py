"""A pipeline as its `dvc.lock` records it: stages in the order in which they run, and the hash of all they wrote."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import PurePosixPath

import yaml

from gogooku3.errors import DataError


@dataclass(frozen=True)
class Stage:
    """A stage that ran: hashes by path of what it read and wrote, what Git holds (metrics, plots) included."""

    name: str
    deps: dict[str, str]
    outs: dict[str, str]


def stages(text: str) -> list[Stage]:
    """Reads a lock file; raises `DataError` where it is none.

    A stage comes after those whose outputs it reads, otherwise as written.
    """
    try:
        written = [
            Stage(name, _hashes(content.get("deps", [])), _hashes(content.get("outs", [])))
            for name, content in yaml.safe_load(text)["stages"].items()
        ]
        return _in_order(written)
    except (yaml.YAMLError, CycleError, AttributeError, KeyError, TypeError) as error:
        raise DataError(
            f"`dvc.lock` is not a lock file of a pipeline: {error}", hint="`dvc repro` writes it; commit it"
        ) from None


def overlap(path: str, other: str) -> bool:
    """Whether two paths are the same, or one of them lies in the other."""
    one, two = PurePosixPath(path), PurePosixPath(other)
    return one.is_relative_to(two) or two.is_relative_to(one)


def _hashes(entries: Iterable[dict[str, str]]) -> dict[str, str]:
    return {entry["path"]: entry["md5"] for entry in entries}


def _in_order(written: list[Stage]) -> list[Stage]:
    """Each stage after those that it needs; of stages that are free to run, the one written first."""
    graph = {
        stage.name: [
            other.name
            for other in written
            if other is not stage and any(overlap(dep, out) for dep in stage.deps for out in other.outs)
        ]
        for stage in written
    }
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    by_name = {stage.name: stage for stage in written}
    free: set[str] = set()
    ordered = []
    while sorter.is_active():
        free |= set(sorter.get_ready())
        name = next(name for name in by_name if name in free)
        free.remove(name)
        sorter.done(name)
        ordered.append(by_name[name])
    return ordered
