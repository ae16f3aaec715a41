"""The demo at full size: it reproduces the committed results, with a fair part of the simulated alpha's skill."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from gogooku3.config.evaluation import Bootstrap
from gogooku3.dataset.contents import CONTENTS, write_frame
from gogooku3.metrics.bootstrap import interval
from gogooku3.metrics.ranking import rank_ic
from gogooku3.metrics.split_file import table_of
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.scoring import score
from gogooku3.model.weights import load
from gogooku3.panel.panel import read_panel
from gogooku3.runtime.files import write_json
from gogooku3.training.phases import PHASES

from .conftest import ROOT, Workspace, checkout

REAL_BARS = ROOT.parent / "shared/data/sp500_5yr.parquet"
REAL = {
    "quotes": "file",
    "quotes.inputs.bars": str(REAL_BARS),
    "quotes.bar_columns": "{Code:code,Date:date,Open:open,High:high,Low:low,Close:close,Volume:volume}",
    "quotes.listed_columns.Sector33": "sector",
    "quotes.rules.missing_value": "drop",
    "quotes.rules.outside_range": "drop",
    "quotes.rules.high_below_low": "drop",
    "dataset.split.train_from": "2013-02-08",
    "dataset.split.validation_from": "2016-07-01",
    "dataset.split.test_from": "2017-02-01",
    "train.recipe.batch_stocks": "505",
    "train.recipe.batch_size": "16160",
}


def measured(workspace: Workspace, split: str = "test") -> dict[str, Any]:
    content: dict[str, Any] = table_of(json.loads((workspace.folder / f"metrics/{split}.json").read_text()))
    return content


@pytest.fixture(scope="module")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = checkout(tmp_path_factory.mktemp("demo") / "gogooku3")
    workspace.run("dvc", "repro")
    return workspace


def test_the_committed_metrics_reach_half_of_the_oracle_at_every_horizon() -> None:
    metrics = table_of(json.loads((ROOT / "metrics/test.json").read_text()))
    assert all(fraction >= 0.5 for fraction in metrics["oracle"]["fraction"].values()), metrics["oracle"]


@pytest.mark.slow
def test_the_demo_comes_out_as_committed_to_the_byte(demo_run: Workspace) -> None:
    assert demo_run.changes() == ""


@pytest.mark.slow
def test_shuffled_targets_leave_no_skill(demo_run: Workspace, tmp_path: Path) -> None:
    """Targets shuffled among the stocks of each session: any remaining skill would be data leakage."""
    shuffled = demo_run.copy(tmp_path / "gogooku3")
    folder = shuffled.folder / "data/dataset"
    random = np.random.default_rng(5)

    def frames() -> Any:
        for path in sorted(folder.rglob("*.parquet")):
            frame = pl.read_parquet(path)
            if path.parent.name == "targets":
                order = pl.Series(random.random(len(frame)))
                drawn = frame.with_columns(order.alias("order")).sort("Date", "order")
                frame = pl.concat([frame.select("Date", "Code"), drawn.select("^target_.*$")], how="horizontal")
            yield path.relative_to(folder).as_posix(), frame

    write_json({name: write_frame(frame, folder / name) for name, frame in list(frames())}, folder / CONTENTS)
    for phase in PHASES:
        shuffled.run("python", "src/gogooku3", "stages", "train", phase)
    # The pipeline itself refuses to measure targets that differ from the returns of the bars.
    refused = shuffled.run("python", "src/gogooku3", "stages", "evaluate", check=False)
    assert (refused.returncode, "differ from the returns of the bars" in refused.stderr) == (3, True)
    panel = read_panel(folder)
    network = load(shuffled.folder / "models/finetune")
    inputs = PanelOnDevice(panel, network.architecture.backbone.window, torch.device("cpu"))
    first, last = panel.split["test"]
    scores_TSH = score(network, inputs, first, last)
    for place, horizon in enumerate(panel.horizons):
        series_T = rank_ic(scores_TSH[..., place], panel.y_TSH[first : last + 1, :, place])
        low, high = interval(series_T, lambda x: x.mean(axis=-1), Bootstrap(1000, 10, 0), horizon)
        assert low < high
        # One of four intervals of 95 % misses 0 by chance in 15 % of all draws; 1.5 times as wide, in 1 %.
        assert abs(low + high) < 1.5 * (high - low), (horizon, low, high)


@pytest.mark.slow
@pytest.mark.skipif(not REAL_BARS.exists(), reason="the real bars are not beside this repository")
def test_real_bars_run_through_the_whole_pipeline_with_parameters_alone(fresh: Callable[[], Workspace]) -> None:
    workspace = fresh()
    workspace.experiment(REAL)
    metrics = measured(workspace)
    assert "oracle" not in metrics
    assert metrics["sharpe"]["low"] < metrics["sharpe"]["value"] < metrics["sharpe"]["high"]
    rules = json.loads((workspace.folder / "data/quotes/rules.json").read_text())["rules"]
    assert rules["missing_value"]["count"] == 11
    assert rules["outside_range"]["count"] == 12
