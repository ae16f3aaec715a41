"""Stage `fold_baselines`: fits and scores the baseline models on the features and sessions of one fold."""

from __future__ import annotations

from gogooku3 import paths
from gogooku3.baselines.score import score
from gogooku3.baselines.table import to_table
from gogooku3.config import Params
from gogooku3.runtime.files import write_parquet
from gogooku3.walk_forward.panel import fold_panel


def run(params: Params, number: str = "") -> None:
    """Writes `data/folds/baselines/<number>.parquet`."""
    panel = fold_panel(paths.fold_plan(number), paths.DATASET)
    scores, first = score(panel, params.baselines, params.numerics.threads)
    write_parquet(to_table(panel, scores, first), paths.fold_baselines(number))
