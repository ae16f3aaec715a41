"""Stage `baselines`: fits the baseline models on the same features and split, and scores validation and test."""

from __future__ import annotations

from gogooku3 import paths
from gogooku3.baselines.score import score
from gogooku3.baselines.table import to_table
from gogooku3.config import Params
from gogooku3.panel.panel import read_panel
from gogooku3.runtime.files import write_parquet


def run(params: Params) -> None:
    """Writes `data/baselines.parquet`."""
    panel = read_panel(paths.DATASET)
    scores, first = score(panel, params.baselines, params.numerics.threads, 1 + len(params.train.stages.members))
    write_parquet(to_table(panel, scores, first), paths.BASELINES)
