"""Benchmark of rules of thumb about the recipe: each is an experiment with an interval, over seeds.

    python benchmarks/lessons.py [--folder DIR] [--seeds 3] [--size full] [--set KEY=VALUE …]
                                 [--out benchmarks/results/lessons-YEAR-MONTH-DAY.md]

Builds the dataset of the demo once, or that of other parameters (`--set quotes=file …`). Trains each of `VARIANTS` on
it with the same seeds, each as an ensemble in a folder of its own, with the pipeline's stages. Prints the difference of
each pair of `LESSONS` in mean RankIC and Sharpe ratio on validation and test as Markdown, and writes it to FILE.

Everything stays in DIR (by default a temporary folder); a call with the same DIR makes what is missing, and a stopped
phase resumes from its checkpoint. `--size small` is a smoke test of minutes; its figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
from measures.clone import PHASES, SETTINGS
from measures.document import commit, machine, paragraph, table
from measures.variants import Variants

from gogooku3 import config, paths
from gogooku3.config import Params
from gogooku3.metrics.paired_difference import paired_differences

SPLITS = ("validation", "test")
BASE = "as it is"
_FIXED = 1e-12
"""Learning rate at which a phase changes nothing but the last bits of the weights."""


def _one_run(params: Params) -> list[str]:
    phases = params.train.phases
    epochs = sum(getattr(phases, phase).epochs for phase in PHASES) - (len(PHASES) - 1)
    fixed = [f"train.phases.{phase}.{key}" for phase in PHASES[:-1] for key in ("epochs=1", f"learning_rate={_FIXED}")]
    rate = phases.baseline.learning_rate
    return [*fixed, f"train.phases.finetune.epochs={epochs}", f"train.phases.finetune.learning_rate={rate}"]


def _small_batches(params: Params) -> list[str]:
    recipe = params.train.recipe
    sessions = max(recipe.batch_size // recipe.batch_stocks // 4, 1)
    return [f"train.recipe.batch_size={sessions * recipe.batch_stocks}"]


VARIANTS: dict[str, Callable[[Params], list[str]]] = {
    BASE: lambda _: [],
    "Sharpe term alone": lambda _: ["train.recipe.loss.ic=0.0"],
    "Sharpe term 0.8": lambda _: ["train.recipe.loss.ic=0.25"],
    "Sharpe term 0.5": lambda _: ["train.recipe.loss.ic=1.0"],
    "one run": _one_run,
    "a quarter of the batch": _small_batches,
    "four times the hidden size": lambda params: [
        f"model.backbone.hidden_size={4 * params.model.backbone.hidden_size}"
    ],
}
"""Changes of the recipe, by name. The weights of the Sharpe term are shares: the rest is on the IC term."""


@dataclass(frozen=True)
class Lesson:
    """A rule of thumb: one variant is better than another."""

    claim: str
    better: str
    worse: str


LESSONS = (
    Lesson("The Sharpe term alone is better than 0.8 of it.", "Sharpe term alone", "Sharpe term 0.8"),
    Lesson("The Sharpe term alone is better than 0.5 of it.", "Sharpe term alone", "Sharpe term 0.5"),
    Lesson("Four phases are better than one run with as many epochs.", BASE, "one run"),
    Lesson("Large batches are better than a quarter of them.", BASE, "a quarter of the batch"),
    Lesson("Four times the hidden size is better.", "four times the hidden size", BASE),
)

SIZES: dict[str, list[str]] = {"full": [], "small": [f"{key}={value}" for key, value in SETTINGS.items()]}


@dataclass(frozen=True, eq=False)
class Result:
    """A trained variant."""

    sessions: Mapping[str, pl.DataFrame]
    """`metrics/sessions` of the ensemble, by split."""
    seeds: Mapping[str, list[float]]
    """Mean RankIC of each seed, by split."""


def train(variants: Variants, name: str, params: Params, seeds: int) -> Result:
    """Trains a variant with several seeds, unless that is done, and reads its metrics."""
    further = list(range(2, seeds + 1))
    changes = ["train.recipe.seed=1", f"train.further_seeds={further}", "train.scheme=ensemble"]
    project = variants.folder(name.replace(" ", "-"), [*VARIANTS[name](params), *changes])
    for phase in PHASES:
        variants.run(project, paths.model_of(phase) / "history.json", "train", phase)
    for seed in further:
        variants.run(project, paths.member(seed), "member", str(seed))
    variants.run(project, paths.ENSEMBLE, "ensemble")
    variants.run(project, paths.PREDICTIONS, "evaluate")
    metrics = {split: json.loads((project / paths.metrics_of(split)).read_text(encoding="utf-8")) for split in SPLITS}
    return Result(
        {split: pl.read_csv(project / paths.sessions_of(split), try_parse_dates=True) for split in SPLITS},
        {split: [each["mean_rank_ic"]["value"] for each in metrics[split]["members"]] for split in SPLITS},
    )


def verdict(difference: Mapping[str, Any]) -> str:
    """What the interval of a difference in mean RankIC says of a claim that it is above 0."""
    if difference["low"] > 0:
        return "confirmed"
    return "refuted" if difference["high"] < 0 else "not shown"


def markdown(results: Mapping[str, Result], params: Params, note: str) -> str:
    """The document, from the results of all variants."""
    lessons, spreads = [], []
    for lesson in LESSONS:
        better, worse = results[lesson.better], results[lesson.worse]
        found = {
            split: paired_differences(better.sessions[split], worse.sessions[split], params.evaluation.bootstrap)
            for split in SPLITS
        }
        cells = [_cell(found[split][metric]) for metric in ("mean_rank_ic", "sharpe") for split in SPLITS]
        lessons.append((lesson.claim, verdict(found["test"]["mean_rank_ic"]), *cells))
    for name, result in results.items():
        spreads.append((name, *(_spread(result.seeds[split]) for split in SPLITS)))
    seeds = len(next(iter(results.values())).seeds["test"])
    parts = (
        f"# Rules of thumb about the recipe, {date.today()}",
        paragraph(f"By `benchmarks/lessons.py` at commit {commit()}, on {machine()}. {note}"),
        table(
            ("", "test", *(f"{metric}, {split}" for metric in ("mean RankIC", "Sharpe") for split in SPLITS)), lessons
        ),
        paragraph(
            f"Differences of ensembles of {seeds} seeds, paired by session, with 95 % intervals by stationary bootstrap"
            ". *Confirmed* and *refuted*: the interval of the mean RankIC on test excludes 0. The intervals are over"
            " sessions; the seeds' own spread is below."
        ),
        table(("mean RankIC of the seeds", *SPLITS), spreads),
    )
    return "\n\n".join(parts) + "\n"


def _cell(difference: Mapping[str, float]) -> str:
    return "{value:.3f} [{low:.3f}, {high:.3f}]".format(**difference)


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.mean(values):.3f} ± {statistics.stdev(values):.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="overrides of the parameters")
    parser.add_argument("--out", type=Path, help="also write the table to this file")
    options = parser.parse_args()
    if options.seeds < 2:
        parser.error(f"--seeds is {options.seeds}; use 2 or more")
    if options.out and not options.out.parent.is_dir():
        parser.error(f"{options.out.parent} is not a folder")
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        variants = Variants(folder, [*SIZES[options.size], *options.set])
        variants.make_market()
        params = config.load(variants.market / paths.PARAMS)
        results = {name: train(variants, name, params, options.seeds) for name in VARIANTS}
        note = "A smoke test at the small size: its figures mean nothing." if options.size == "small" else ""
        if options.set:
            note = f"Parameters: `{' '.join(options.set)}`. {note}"
        text = markdown(results, params, note.strip())
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
