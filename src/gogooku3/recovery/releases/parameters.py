"""Two sides of a comparison, each a revision or the working tree (None): their files and differing parameters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from gogooku3 import paths
from gogooku3.config import renames
from gogooku3.errors import DataError
from gogooku3.recovery.changes import Change, changes
from gogooku3.recovery.releases import git

PARAMETER_ORDER = ("train", "model", "dataset", "quotes", "numerics", "evaluation", "baselines", "tier")
"""Sections of the parameters, those that most often explain another result first."""


def differing_parameters(root: Path, old: str, new: str = git.WORKSPACE) -> list[Change]:
    """The parameters in which two sides differ, by dotted name; raises `GitError` when a name is no revision."""
    parameters = (_parameters(root, side) for side in sides(root, old, new))
    return sorted(changes(*parameters), key=_rank)


def sides(root: Path, *names: str) -> list[str | None]:
    """The commits that names stand for; None is the working tree. Raises `GitError` when a name is no revision."""
    return [None if name == git.WORKSPACE else git.commit_of(root, name) for name in names]


def text(root: Path, side: str | None, path: Path) -> str | None:
    """What a file of a side holds; None where there is none."""
    if side is not None:
        return git.show(root, side, path)
    file = root / path
    return file.read_text(encoding="utf-8", errors="surrogateescape") if file.is_file() else None


@contextmanager
def reading(side: str | None, path: Path) -> Iterator[None]:
    """Raises `DataError` where the block cannot read a file of a side."""
    try:
        yield
    except (ValueError, YAMLError, OmegaConfBaseException) as error:
        raise DataError(
            f"`{path}` of {side[:10] if side else 'the working tree'} cannot be read: {' '.join(str(error).split())}",
            hint="`git log` shows who changed it; `git restore --source REV` brings it from another commit",
        ) from None


def _parameters(root: Path, side: str | None) -> dict[str, Any]:
    """By today's names: an experiment that differs from another in the version alone has the same parameters."""
    content = text(root, side, paths.PARAMS)
    with reading(side, paths.PARAMS):
        return flat(renames.current(OmegaConf.to_container(OmegaConf.create(content)))) if content else {}


def flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Leaves by dotted key; a list is one leaf, and so is an estimate, which is a `value` and what belongs to it."""
    if not isinstance(tree, dict) or "value" in tree:
        return {prefix: tree}
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        leaves |= flat(value, f"{prefix}.{key}" if prefix else str(key))
    return leaves


def _rank(change: Change) -> int:
    section = change.name.split(".")[0]
    return PARAMETER_ORDER.index(section) if section in PARAMETER_ORDER else len(PARAMETER_ORDER)
