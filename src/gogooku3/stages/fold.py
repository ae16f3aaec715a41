"""Stage `fold`: one fold of the walk-forward: the four phases on its sessions, and the scores of its test."""

from __future__ import annotations

from pathlib import Path

from gogooku3.config import Params
from gogooku3.model.probe import prepare
from gogooku3.training.group import Group
from gogooku3.training.launch import together
from gogooku3.walk_forward.fold import make


def run(params: Params, number: str = "") -> None:
    """Writes `models/folds/<number>/` and `data/folds/scores/<number>.parquet`."""
    together(params.numerics, lambda group: _make(params, number, group), "fold", number)


def _make(params: Params, number: str, group: Group) -> None:
    make(
        plan=Path("data/folds/plan") / f"{number}.json",
        dataset=Path("data/dataset"),
        params=params,
        device=prepare(params.numerics),
        model=Path("models/folds") / number,
        scores=Path("data/folds/scores") / f"{number}.parquet",
        logs=Path("logs/training") / f"fold_{number}",
        group=group,
    )
