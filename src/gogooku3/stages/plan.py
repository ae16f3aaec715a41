"""Stage `plan`: plans the walk-forward folds with their dates, before any of them is trained."""

from __future__ import annotations

from gogooku3 import paths
from gogooku3.config import Params
from gogooku3.dataset.schema import Schema
from gogooku3.runtime.files import replaced, write_json
from gogooku3.walk_forward.plan import plan, sessions_of
from gogooku3.walk_forward.print_plan import print_plan


def run(params: Params) -> None:
    """Writes `data/folds/plan/` and prints the plan."""
    sessions, schema = sessions_of(paths.DATASET), Schema.read(paths.DATASET / "schema.json")
    walk, split = params.evaluation.walk_forward, params.dataset.split
    folds = plan(sessions, schema, walk, split)
    with replaced(paths.FOLD_PLANS) as folder:
        for fold in folds:
            write_json(fold.as_json(sessions), folder / f"{fold.number}.json")
    print_plan(folds, sessions, walk, split)
