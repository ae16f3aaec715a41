"""Stage `dataset`: features, targets, neighbour graph and splits from the quotes."""

from __future__ import annotations

from pathlib import Path

from gogooku3.assembly.build import build
from gogooku3.assembly.history import History
from gogooku3.config import Params
from gogooku3.paths import dvc_cache


def run(params: Params) -> None:
    """Writes `data/dataset/`."""
    build(History.read(Path("data/quotes")), params.dataset, Path("data/dataset"), dvc_cache())
