"""Benchmark of the recipe against a published table: daily bars of 1,026 NASDAQ stocks, returns of 2017.

    python benchmarks/published.py BARS [--folder DIR] [--seeds 5] [--size full] [--device cpu] [--set KEY=VALUE …]
                                   [--out benchmarks/results/published-YEAR-MONTH-DAY.md]

BARS is a parquet file with the bars of Feng et al. (2019): columns date, code, open, high, low, close, volume. It is
not part of the project: the data is published with `fulifeng/Temporal_Relational_Stock_Ranking` (AGPL-3.0).

Builds the dataset once and scores the baselines on it. Trains each of `RECIPES` with seed 1, chooses the one with the
highest IC on validation (2016), and trains it with the other seeds, each model in a folder of its own with the
pipeline's stages. Prints IC, RIC and P@10 on test (2017) as Markdown next to the published rows, and writes it to FILE.

Everything stays in DIR (by default a temporary folder); a call with the same DIR makes what is missing, and a stopped
phase resumes from its checkpoint. `--size small` is a smoke test of minutes with few stocks; its figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import polars as pl
from measures.clone import PHASES
from measures.published import Measured, ensemble, markdown, measure, repaired
from measures.variants import Variants

from gogooku3 import config, paths
from gogooku3.baselines.table import read_scores
from gogooku3.metrics.cross_section import Floats
from gogooku3.panel.panel import Targets, read_targets
from gogooku3.panel.table import to_arrays

RECIPES: dict[str, tuple[str, ...]] = {
    "the demo's": (),
    "hidden size 8, dropout 0.3": ("model.backbone.hidden_size=8", "model.backbone.dropout=0.3"),
    "batches of the whole market": ("train.recipe.batch_stocks=1026", "train.recipe.batch_size=12312"),
}
"""The recipes that validation chooses from, as changes of the demo's."""

BASE = (
    "tier=demo",
    "quotes=file",
    "quotes.inputs.bars=bars.parquet",
    *(
        f"quotes.bar_columns.{name}={name.lower()}"
        for name in ("Code", "Date", "Open", "High", "Low", "Close", "Volume")
    ),
    "quotes.listed_columns.Code=code",
    *(f"quotes.rules.{rule}=drop" for rule in ("non_positive_price", "high_below_low", "outside_range")),
    "dataset.horizons=[1]",
    "dataset.split.train_from=2013-01-02",
    "dataset.split.validation_from=2015-12-31",
    "dataset.split.test_from=2016-12-30",
    "dataset.split.embargo=1",
    "train.recipe.loss.horizons=[1.0]",
    "evaluation.portfolio.horizon=1",
)
"""Scores of 2015-12-31 are for the return of 2016-01-04, the first of validation; those of 2016-12-30 for test's."""

SIZES: dict[str, tuple[str, ...]] = {
    "full": (),
    "small": (
        "quotes.start=2015-06-01",
        "dataset.split.train_from=2016-03-01",
        "dataset.split.validation_from=2016-09-01",
        "dataset.split.test_from=2016-12-01",
        "numerics.threads=1",
        "train.recipe.batch_stocks=20",
        "train.recipe.batch_size=240",
        *(f"train.phases.{phase}.epochs=1" for phase in PHASES),
        "baselines.lightgbm.rounds=10",
        "evaluation.bootstrap.draws=100",
    ),
}
_SMALL_STOCKS, _SMALL_END = 20, date(2017, 3, 31)
"""Stocks, the first by code, and last day of the small size."""


class Benchmark:
    """The working folder: the market with its dataset and baselines, and a folder for each model."""

    def __init__(self, folder: Path, bars: Path, size: str, changes: Sequence[str]) -> None:
        """
        Args:
            bars: file with the bars.
            changes: overrides of the parameters of all models.
        """
        self.size, self._bars = size, bars
        self._variants = Variants(folder, [*BASE, *SIZES[size], *changes])
        self._market = self._variants.market

    def make_market(self) -> Targets:
        """Builds quotes, dataset and baselines, and reads the targets."""
        copy = self._market / "bars.parquet"
        if not copy.exists():
            bars = pl.read_parquet(self._bars)
            if self.size == "small":
                codes = bars["code"].unique().sort().head(_SMALL_STOCKS)
                bars = bars.filter(pl.col("code").is_in(codes.implode()), pl.col("date") <= _SMALL_END)
            copy.parent.mkdir(parents=True, exist_ok=True)
            repaired(bars).write_parquet(copy)
        self._variants.make_market()
        return read_targets(self._market / paths.DATASET)

    def scores(self, recipe: str, seed: int, targets: Targets) -> Floats:
        """Trains a recipe with a seed, unless that is done; returns its scores [T, S]."""
        changes = (*fitting(self.size, RECIPES[recipe]), f"train.recipe.seed={seed}")
        project = self._variants.folder(f"{list(RECIPES).index(recipe)}-{seed}", changes)
        for phase in PHASES:
            self._variants.run(project, paths.model_of(phase) / "history.json", "train", phase)
        self._variants.run(project, paths.PREDICTIONS, "evaluate")
        return to_arrays(targets, pl.read_parquet(project / paths.PREDICTIONS), ["score_1"])[..., 0]

    def baselines(self, targets: Targets) -> dict[str, Floats]:
        """The baselines' scores by name, [T, S]."""
        return {name: each[..., 0] for name, each in read_scores(targets, self._market / paths.BASELINES).items()}

    def params(self) -> config.Params:
        """The parameters of the market's folder."""
        return config.load(self._market / paths.PARAMS)

    def dropped(self) -> int:
        """Number of bars that the rules dropped."""
        rules = json.loads((self._market / paths.QUOTES / "rules.json").read_text(encoding="utf-8"))["rules"]
        return sum(rule["dropped"] for rule in rules.values())


def fitting(size: str, changes: Sequence[str]) -> list[str]:
    """The overrides of a recipe; at the small size without its batches, which are those of the size."""
    return [change for change in changes if size == "full" or not change.startswith("train.recipe.batch")]


def run(benchmark: Benchmark, seeds: int) -> str:
    """Runs everything that is missing; returns the document."""
    targets = benchmark.make_market()
    returns_TS = targets.y_TSH[..., 0]

    def measured(scores_TS: Floats, split: str) -> Measured:
        first, last = targets.split[split]
        return measure(scores_TS[first : last + 1], returns_TS[first : last + 1])

    validation = {recipe: measured(benchmark.scores(recipe, 1, targets), "validation").ic for recipe in RECIPES}
    chosen = max(validation, key=lambda recipe: validation[recipe])
    scores = {seed: benchmark.scores(chosen, seed, targets) for seed in range(1, seeds + 1)}
    rivals = benchmark.baselines(targets)
    others = {"ensemble": ensemble(list(scores.values())), "LightGBM": rivals["lightgbm"]}
    others["ridge regression"] = rivals["ridge"]
    first, last = (targets.sessions[each] for each in targets.split["test"])
    note = " This is a smoke test at the small size: its figures mean nothing." if benchmark.size == "small" else ""
    return markdown(
        validation,
        chosen,
        {seed: measured(each, "test") for seed, each in scores.items()},
        {name: measured(each, "test") for name, each in others.items()},
        f"{len(targets.codes):,} stocks, {benchmark.dropped():,} bars dropped; scores from {first} to {last} on test."
        f"{note}",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bars", type=Path)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="overrides of the parameters")
    parser.add_argument("--out", type=Path, help="also write the table to this file")
    options = parser.parse_args()
    if not options.bars.is_file():
        parser.error(f"{options.bars} is not a file")
    if options.seeds < 1:
        parser.error(f"--seeds is {options.seeds}; use 1 or more")
    if options.out and not options.out.parent.is_dir():
        parser.error(f"{options.out.parent} is not a folder")
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        changes = (f"numerics.device={options.device}", *options.set)
        text = run(Benchmark(folder, options.bars.resolve(), options.size, changes), options.seeds)
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
