"""Panel of one fold: split by the fold's plan, and normalised with its own training sessions (no look-ahead)."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from gogooku3.dataset import preprocess, splits
from gogooku3.dataset.schema import Schema, read_json
from gogooku3.errors import DataError
from gogooku3.panel.panel import Panel, read_panel
from gogooku3.walk_forward.plan import REPLAN


def fold_preprocess(plan: Path, dataset: Path) -> dict[str, Any]:
    """Normalisation parameters (`preprocess.json`) fitted on a fold's training sessions.

    Args:
        plan: plan file of the fold.
        dataset: folder of the dataset.
    """
    train = read_json(plan)["train"]
    days = date.fromisoformat(train["first"]), date.fromisoformat(train["last"])
    clip = read_json(dataset / "preprocess.json")["clip"]
    return preprocess.fit(dataset, Schema.read(dataset / "schema.json"), days, clip)


def fold_panel(plan: Path, dataset: Path) -> Panel:
    """The panel of a fold.

    Raises:
        DataError: the plan is missing or of another dataset, or targets of training or validation reach into the next
            split (leakage).
    """
    if not plan.is_file():
        raise DataError(f"fold `{plan.stem}` is not planned: `{plan}` does not exist", hint=REPLAN)
    panel = read_panel(dataset, fold_preprocess(plan, dataset), plan)
    splits.refuse_leakage(panel.split, max(panel.horizons), f"fold {plan.stem}")
    return panel
