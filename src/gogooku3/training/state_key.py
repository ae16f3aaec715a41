"""Key of a checkpoint: name and value of everything that the output bytes of a phase depend on.

A checkpoint with another key is stale and is not resumed from.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gogooku3.config.train import Phase, Recipe
from gogooku3.model.network import Architecture
from gogooku3.runtime.files import sha256_file

_RUNNER = "gogooku3.stages.__main__"
"""Loaded under this name in worker processes and as `__main__` in a single process; excluded so that both agree."""


def state_key(
    architecture: Architecture,
    recipe: Recipe,
    phase: Phase,
    metric: str,
    environment: dict[str, Any],
    files: Sequence[Path],
) -> dict[str, Any]:
    """Name and value of each input.

    Args:
        metric: `tier.metric`, which selects the best epoch.
        environment: device, numerics and library versions in which results are bitwise reproducible.
        files: input files, or files with the hashes of inputs.
    """
    named = {
        "model": asdict(architecture),
        "train.recipe": asdict(recipe),
        "train.phase": asdict(phase),
        "tier.metric": metric,
        "environment": environment,
        "code": _code(),
    }
    return dict(_leaves(named, "")) | {path.as_posix(): sha256_file(path) for path in files}


def _leaves(tree: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _code() -> str:
    """Hash over the source of every loaded module of this package."""
    digest = hashlib.sha256()
    for name, module in sorted(sys.modules.items()):
        ours = name.split(".")[0] == "gogooku3" and name != _RUNNER
        if ours and module.__file__ is not None:
            digest.update(name.encode() + b"\0" + Path(module.__file__).read_bytes())
    return digest.hexdigest()
