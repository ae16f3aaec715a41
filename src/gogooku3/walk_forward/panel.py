"""A dataset as one fold sees it: cut by its plan, and normalised by its own training sessions."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from gogooku3.dataset import preprocess, splits
from gogooku3.dataset.schema import Schema, read_json
from gogooku3.errors import DataError
from gogooku3.panel.panel import Panel, read_panel
from gogooku3.walk_forward.plan import AGAIN


def fold_preprocess(plan: Path, dataset: Path) -> dict[str, Any]:
    """What the dataset's `preprocess.json` would be, had it been fitted on a fold's training sessions.

    Args:
        plan: the fold's file.
        dataset: folder of the dataset.
    """
    train = read_json(plan)["train"]
    days = date.fromisoformat(train["first"]), date.fromisoformat(train["last"])
    clip = read_json(dataset / "preprocess.json")["clip"]
    return preprocess.fit(dataset, Schema.read(dataset / "schema.json"), days, clip)


def fold_panel(plan: Path, dataset: Path) -> Panel:
    """The panel of a fold.

    Raises:
        DataError: the plan is absent or not of this dataset, or targets of training or validation reach into what
            follows.
    """
    if not plan.is_file():
        raise DataError(f"fold `{plan.stem}` is not planned: `{plan}` is not there", hint=AGAIN)
    panel = read_panel(dataset, fold_preprocess(plan, dataset), plan)
    splits.refuse_leakage(panel.split, max(panel.horizons), f"fold {plan.stem}")
    return panel
