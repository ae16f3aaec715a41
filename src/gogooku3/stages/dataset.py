"""Stage `dataset`: builds features, targets, neighbour graph and splits from the quotes."""

from __future__ import annotations

from gogooku3 import paths
from gogooku3.assembly.build import build
from gogooku3.assembly.history import History
from gogooku3.config import Params


def run(params: Params) -> None:
    """Writes `data/dataset/`."""
    build(History.read(paths.QUOTES), params.dataset, paths.DATASET, paths.dvc_cache())
