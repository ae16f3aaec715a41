"""Stage `join`: joins the test periods of all folds to one out-of-sample series, and evaluates it."""

from __future__ import annotations

from gogooku3 import paths
from gogooku3.config import Params
from gogooku3.metrics.split_file import content_of
from gogooku3.panel.panel import read_panel
from gogooku3.quotes.folder import read
from gogooku3.runtime.files import write_csv, write_json
from gogooku3.walk_forward.joined.results import measure
from gogooku3.walk_forward.joined.series import join
from gogooku3.walk_forward.plan import read_plan


def run(params: Params) -> None:
    """Writes `walk_forward` in `metrics/`, `metrics/details/` and `metrics/sessions/`, and the plots."""
    panel = read_panel(paths.DATASET)
    folds = read_plan(paths.FOLD_PLANS, panel.sessions, max(panel.horizons))
    models, baselines = paths.FOLD_SCORES, paths.FOLD_BASELINES
    # Files of folds that are no longer in the plan are stale inputs of this stage: DVC would see it as changed.
    for path in (path for folder in (models, baselines) for path in folder.glob("*.parquet")):
        if path.stem not in {str(fold.number) for fold in folds}:
            path.unlink()
    results = measure(panel, read(paths.QUOTES), folds, join(panel, folds, models, baselines), params.evaluation)
    write_json(content_of(results.metrics), paths.metrics_of("walk_forward"))
    write_json(results.details, paths.details_of("walk_forward"))
    write_csv(results.evaluation.sessions, paths.sessions_of("walk_forward"))
    write_csv(results.curves, paths.plot_of("walk_forward"))
    write_csv(results.folds, paths.plot_of("folds"))
