"""Stage `fold`: one walk-forward fold: trains the four phases on its sessions, and scores its test period."""

from __future__ import annotations

from gogooku3 import paths
from gogooku3.config import Params
from gogooku3.model.probe import prepare
from gogooku3.training.distributed import Group
from gogooku3.training.launch import run_distributed
from gogooku3.walk_forward.fold import make


def run(params: Params, number: str = "") -> None:
    """Writes `models/folds/<number>/` and `data/folds/scores/<number>.parquet`."""
    run_distributed(params.numerics, lambda group: _make(params, number, group), "fold", number)


def _make(params: Params, number: str, group: Group) -> None:
    make(
        plan=paths.fold_plan(number),
        dataset=paths.DATASET,
        params=params,
        device=prepare(params.numerics),
        model=paths.fold_model(number),
        scores=paths.fold_scores(number),
        logs=paths.fold_logs(number),
        group=group,
    )
