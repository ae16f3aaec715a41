"""Metrics of a published table of NASDAQ stocks, and the document that puts ours next to it.

The metrics are those of Fan and Shen (AAAI 2024), whose code is SJTU-DMTai/StockMixer, `src/evaluator.py`. Letters of
shapes: T sessions, S stocks.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gogooku3.metrics.cross_section import Floats, demean, mask_pairs
from gogooku3.metrics.estimate import mean
from gogooku3.metrics.paired_difference import mean_over_horizons
from gogooku3.metrics.ranking import ic
from measures.document import commit, machine, paragraph, table

PUBLISHED = {"LSTM": (0.032, 0.354, 0.514), "STHAN-SR": (0.039, 0.451, 0.543), "StockMixer": (0.043, 0.501, 0.545)}
"""IC, RIC and P@10 on test: Fan, Shen, "StockMixer: a simple yet strong MLP-based architecture for stock price
forecasting", AAAI 2024, table 2, NASDAQ."""

_TOP = 10
_DIFFERENCES = (
    "The published models read closes and their moving averages; ours, LightGBM and ridge regression read features of"
    " open, high, low, close and volume.",
    "The published rows are as printed: no interval, and tuned by their authors. Ours is the best of the recipes below"
    " by the IC of seed 1 on validation; test selects nothing.",
    "An open of 0 is set to the close. A bar that still breaks a rule is dropped, and a stock without a bar is left out"
    " of its session; theirs is masked.",
    "The returns on test are those of the same days. Training and validation have one session less each (embargo).",
    "The list is of stocks that traded throughout (survivorship bias), for everyone.",
)


@dataclass(frozen=True, eq=False)
class Measured:
    """Metrics of some scores on one split, by session; NaN if a session has too few stocks."""

    ic_T: Floats
    precision_T: Floats

    @property
    def ic(self) -> float:
        """Mean over the sessions of the correlation of score and return to the next session."""
        return mean(self.ic_T)

    @property
    def ric(self) -> float:
        """That mean over its standard deviation."""
        return self.ic / float(np.nanstd(self.ic_T))

    @property
    def precision(self) -> float:
        """P@10: mean share of the ten highest scores with a return of 0 or more."""
        return mean(self.precision_T)


def measure(scores_TS: NDArray[np.floating], returns_TS: NDArray[np.floating]) -> Measured:
    """Measures scores against the returns to the next session."""
    return Measured(ic(scores_TS, returns_TS), _precision(scores_TS, returns_TS))


def ensemble(scores: Sequence[Floats]) -> Floats:
    """Mean of several models' scores, each standardised within the session: the scale of a score has no meaning.

    Shapes: each [T, S], NaN where missing → [T, S].
    """
    standard: list[Floats] = []
    for scores_TS in scores:
        centred_TS = demean(scores_TS)
        count_T1 = np.maximum((~np.isnan(centred_TS)).sum(axis=1, keepdims=True), 1)
        deviation_T1 = np.sqrt(np.nansum(centred_TS**2, axis=1, keepdims=True) / count_T1)
        standard.append(centred_TS / np.where(deviation_T1 > 0, deviation_T1, 1.0))
    return np.asarray(np.mean(standard, axis=0))


def repaired(bars: pl.DataFrame) -> pl.DataFrame:
    """The bars with the close in place of an open of 0: a close is known, and a dropped bar would lose two returns."""
    return bars.with_columns(pl.when(pl.col("open") > 0).then("open").otherwise("close").alias("open"))


def markdown(
    validation: Mapping[str, float],
    chosen: str,
    seeds: Mapping[int, Measured],
    others: Mapping[str, Measured],
    data: str,
) -> str:
    """The document.

    Args:
        validation: IC of seed 1 on validation, by recipe.
        chosen: the recipe with the highest.
        seeds: its models on test, by seed.
        others: on test, by name: `ensemble`, `LightGBM`, `ridge regression`.
        data: what was measured, in words.
    """
    rows = [(f"{name} (published)", *map(_number, values)) for name, values in PUBLISHED.items()]
    rows += [(f"ours, seed {seed}", *_cells(each)) for seed, each in seeds.items()]
    rows.append((f"ours, mean ± standard deviation of {len(seeds)} seeds", *_spread(list(seeds.values()))))
    rows.append((f"ours, ensemble of {len(seeds)} seeds", *_cells(others["ensemble"])))
    rows += [(name, *_cells(others[name])) for name in ("LightGBM", "ridge regression")]
    lead = _difference(others["ensemble"], others["LightGBM"])
    parts = (
        f"# Published table of NASDAQ stocks, {date.today()}",
        paragraph(f"By `benchmarks/published.py` at commit {commit()}, on {machine()}. {data}"),
        table(("test", "IC", "RIC", "P@10"), rows),
        paragraph(
            f"IC: mean over the sessions of Pearson's correlation of score and return to the next session. RIC: that"
            f" mean over its standard deviation. P@10: share of the ten highest scores with a return of 0 or more. The"
            f" ensemble's IC minus LightGBM's, paired by session: {lead}, a 95 % interval."
        ),
        "## The recipes",
        table(
            ("recipe", "IC on validation, seed 1", ""),
            [(name, _number(value), "chosen" if name == chosen else "") for name, value in validation.items()],
        ),
        "## What is not the same",
        "\n".join(paragraph(f"- {line}").replace("\n", "\n  ") for line in _DIFFERENCES),
    )
    return "\n\n".join(parts) + "\n"


def _precision(scores_TS: NDArray[np.floating], returns_TS: NDArray[np.floating]) -> Floats:
    scores, returns = mask_pairs(scores_TS, returns_TS)
    best_TK = np.argsort(-np.nan_to_num(scores, nan=-np.inf), axis=1, kind="stable")[:, :_TOP]
    share_T: Floats = (np.take_along_axis(returns, best_TK, axis=1) >= 0).mean(axis=1)
    return np.where((~np.isnan(scores)).sum(axis=1) >= _TOP, share_T, np.nan)


def _difference(ours: Measured, theirs: Measured) -> str:
    found: dict[str, Any] = mean_over_horizons((ours.ic_T - theirs.ic_T)[:, None], [1])
    value, low, high = (f"{found[name]:.4f}" for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _cells(measured: Measured) -> tuple[str, str, str]:
    return _number(measured.ic), _number(measured.ric), _number(measured.precision)


def _spread(all_seeds: Sequence[Measured]) -> list[str]:
    columns = (
        [each.ic for each in all_seeds],
        [each.ric for each in all_seeds],
        [each.precision for each in all_seeds],
    )
    deviations = (f"{statistics.stdev(values):.4f}" if len(values) > 1 else "–" for values in columns)
    return [f"{_number(statistics.fmean(values))} ± {sd}" for values, sd in zip(columns, deviations, strict=True)]


def _number(value: float) -> str:
    return f"{value:.4f}"
