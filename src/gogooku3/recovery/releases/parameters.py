"""Files and differing parameters of the two sides of a comparison, each a revision or the working tree (None)."""

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
from gogooku3.recovery.untrusted import load_yaml

PARAMETER_ORDER = ("train", "model", "dataset", "quotes", "numerics", "evaluation", "baselines", "tier", "card")
"""Sections of the parameters, those that most often explain a different result first."""


def differing_parameters(root: Path, old: str, new: str = git.WORKSPACE) -> list[Change]:
    """The parameters in which two sides differ, by dotted name; raises `GitError` if a name is not a revision."""
    return ordered_changes(*(parameters(root, side) for side in sides(root, old, new)))


def ordered_changes(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """The differing parameters, those first that most often explain a different result."""
    return sorted(changes(old, new), key=_rank)


def parse(content: str | None) -> dict[str, Any]:
    """The content of a parameter file, by current names; {} without a file.

    Raises:
        ValueError, YAMLError, OmegaConfBaseException: it is not a table of parameters.
    """
    tree = load_yaml(content) if content else None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ValueError("it is not a table of parameters")
    current: dict[str, Any] = renames.current(OmegaConf.to_container(OmegaConf.create(tree)))
    return current


def sides(root: Path, *names: str) -> list[str | None]:
    """The commits of revision names; None is the working tree. Raises `GitError` if a name is not a revision."""
    return [None if name == git.WORKSPACE else git.commit_of(root, name) for name in names]


def text(root: Path, side: str | None, path: Path) -> str | None:
    """The text of a side's file; None if it does not exist."""
    if side is not None:
        return git.show(root, side, path)
    file = root / path
    return file.read_text(encoding="utf-8", errors="surrogateescape") if file.is_file() else None


@contextmanager
def read_errors(side: str | None, path: Path) -> Iterator[None]:
    """Context manager that raises a parse error of a side's file as `DataError`."""
    try:
        yield
    except (ValueError, YAMLError, OmegaConfBaseException) as error:
        raise DataError(
            f"`{path}` of {side[:10] if side else 'the working tree'} cannot be read: {' '.join(str(error).split())}",
            hint="find the change with `git log`, and restore it from another commit with `git restore --source REV`",
        ) from None


def parameters(root: Path, side: str | None) -> dict[str, Any]:
    """The parameters of a side by dotted name: two versions of gogooku3 with the same parameters compare as equal.

    Raises:
        DataError: `params.yaml` cannot be read.
    """
    content = text(root, side, paths.PARAMS)
    with read_errors(side, paths.PARAMS):
        return flat(parse(content))


def flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Leaves by dotted key; a list is one leaf, and so is an estimate, a dictionary with a `value`."""
    if not isinstance(tree, dict) or "value" in tree:
        return {prefix: tree}
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        leaves |= flat(value, f"{prefix}.{key}" if prefix else str(key))
    return leaves


def _rank(change: Change) -> int:
    section = change.name.split(".")[0]
    return PARAMETER_ORDER.index(section) if section in PARAMETER_ORDER else len(PARAMETER_ORDER)
