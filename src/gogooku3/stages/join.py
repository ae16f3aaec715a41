"""Stage `join`: the tests of all folds as one out-of-sample series, and what it is worth."""

from __future__ import annotations

from pathlib import Path

from gogooku3.config import Params
from gogooku3.panel.panel import read_panel
from gogooku3.quotes.folder import read
from gogooku3.runtime.files import write_csv, write_json
from gogooku3.walk_forward.joined.results import measure
from gogooku3.walk_forward.joined.series import join
from gogooku3.walk_forward.plan import read_plan

FOLDS = Path("data/folds")
METRICS = Path("metrics")


def run(params: Params) -> None:
    """Writes `metrics/walk_forward.json`, `metrics/sessions/walk_forward.csv` and the plots of both."""
    panel = read_panel(Path("data/dataset"))
    folds = read_plan(FOLDS / "plan", panel.sessions, max(panel.horizons))
    models, baselines = FOLDS / "scores", FOLDS / "baselines"
    # What a longer plan left would make this stage look changed for ever: its inputs are these two folders.
    for path in (path for folder in (models, baselines) for path in folder.glob("*.parquet")):
        if path.stem not in {str(fold.number) for fold in folds}:
            path.unlink()
    results = measure(panel, read(Path("data/quotes")), folds, join(panel, folds, models, baselines), params.evaluation)
    write_json(results.metrics, METRICS / "walk_forward.json")
    write_csv(results.evaluation.sessions, METRICS / "sessions/walk_forward.csv")
    write_csv(results.curves, Path("plots/walk_forward.csv"))
    write_csv(results.folds, Path("plots/folds.csv"))
