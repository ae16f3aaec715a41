"""Drift: whether features and scores are distributed as in training, by the population stability index (PSI).

PSI = Σ (p − q) ln(p / q) over ten bins of equal share q in training, and one more for missing values; p is the share
now. The usual bounds: below 0.1 no shift, from 0.25 on a large one (Lewis 1994; Siddiqi, "Credit risk scorecards",
2006). For the same distribution, PSI / (1/n + 1/m) has a χ² distribution with one degree of freedom less than bins
(Yurdakul, "Statistical properties of population stability index", 2018): with few stocks it exceeds 0.1 by chance.
A shift therefore counts only beyond the 99.9 % quantile of that distribution too. n and m are numbers of stocks, not of
values: a stock's values of consecutive sessions are nearly the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gogooku3.dataset.elementwise import Floats, log
from gogooku3.dataset.schema import Schema, target_name
from gogooku3.errors import RefusedError, abbreviate
from gogooku3.serving.finding import Finding
from gogooku3.serving.scorer import Scored

MODERATE, LARGE = 0.1, 0.25
"""Bounds of the PSI."""
MANY = 0.1
"""Share of the features with a large shift from which on the evening is refused."""
SESSIONS = 16
"""Scored sessions that are compared, at the end of training and now."""

_BINS = 10
_LEAST = 1e-4
"""Share that stands for an empty bin."""
_Z999 = 3.0902
"""99.9 % quantile of the normal distribution."""


@dataclass(frozen=True)
class Shift:
    """The PSI of a feature or of the scores of a horizon."""

    name: str
    psi: float
    noise: float
    """What the PSI exceeds once in a thousand times without a shift."""

    def beyond(self, bound: float) -> bool:
        """Whether the shift is larger than a bound, and not by chance."""
        return self.psi > max(bound, self.noise)


def reference(scored: Scored, schema: Schema) -> dict[str, Any]:
    """Bins and shares of features and scores: the content of the state's `reference.json`."""
    values = _values(scored, schema)
    binned = {name: _edges(value) for name, value in values.items()}
    return {
        "first": str(scored.panel.sessions[0]),
        "last": str(scored.panel.sessions[-1]),
        "stocks": _stocks(scored),
        "columns": {
            name: {"edges": edges.tolist(), "shares": _shares(values[name], edges).tolist()}
            for name, edges in binned.items()
        },
    }


def shifts(scored: Scored, schema: Schema, trained: dict[str, Any]) -> list[Shift]:
    """The shift of every feature and of the scores of every horizon, the largest first."""
    noise_of_stocks = 1 / _stocks(scored) + 1 / trained["stocks"]
    found = []
    for name, value in _values(scored, schema).items():
        column = trained["columns"][name]
        p, q = _shares(value, np.array(column["edges"])), np.array(column["shares"])
        p, q = np.maximum(p, _LEAST), np.maximum(q, _LEAST)
        psi = float(((p - q) * log(p / q)).sum())
        found.append(Shift(name, psi, noise_of_stocks * _chi_square_999(len(q) - 1)))
    return sorted(found, key=lambda shift: (-shift.psi, shift.name))


def finding(found: list[Shift], trained: dict[str, Any]) -> Finding:
    """The verdict over all shifts."""
    of_scores = [shift for shift in found if shift.name.startswith("score_")]
    features = [shift for shift in found if not shift.name.startswith("score_")]
    moderate, large = ([shift for shift in features if shift.beyond(bound)] for bound in (MODERATE, LARGE))
    largest = max(of_scores, key=lambda shift: shift.psi)
    text = (
        f"PSI against {trained['first']} to {trained['last']}: scores at most {largest.psi:.2f} ({largest.name}),"
        f" {len(moderate)} of {len(features)} features beyond {MODERATE:g} and {len(large)} beyond {LARGE:g}"
    )
    if moderate:
        text += f": {abbreviate(f'{shift.name} {shift.psi:.2f}' for shift in moderate)}"
    details = tuple({"name": shift.name, "psi": round(shift.psi, 4), "noise": round(shift.noise, 4)} for shift in found)
    if any(shift.beyond(LARGE) for shift in of_scores) or len(large) > MANY * len(features):
        hint = "the market or the data has changed: retrain, or look at the features and accept it"
        return Finding("drift", "failed", text, hint, RefusedError.exit_code, details)
    if any(shift.beyond(MODERATE) for shift in of_scores) or large:
        return Finding("drift", "warning", text, "look at these features before trusting the scores", details=details)
    return Finding("drift", "passed", text, details=details)


def _values(scored: Scored, schema: Schema) -> dict[str, Floats]:
    """The values of present stocks by name: of each feature but the market-wide ones, and of each score.

    A market-wide feature has one value per session: too few for a distribution.
    """
    panel = scored.panel
    present_TS = panel.present_TS
    values = {
        column.name: panel.x_TSF[..., position][present_TS].astype(np.float64)
        for position, column in enumerate(schema.features)
        if column.scope != "session"
    }
    rows = slice(max(scored.first, len(panel.sessions) - SESSIONS), None)
    for position, horizon in enumerate(panel.horizons):
        name = target_name(horizon).replace("target", "score")
        values[name] = scored.scores_TSH[rows, :, position][present_TS[rows]].astype(np.float64)
    return values


def _stocks(scored: Scored) -> int:
    """Median number of stocks of a session."""
    return max(1, int(np.median(scored.panel.present_TS.sum(axis=1))))


def _edges(values: Floats) -> Floats:
    """Inner bounds of bins with equal shares; equal bounds count once."""
    known = np.sort(values[np.isfinite(values)])
    if not len(known):
        return np.empty(0)
    return np.unique(known[[len(known) * part // _BINS for part in range(1, _BINS)]])


def _shares(values: Floats, edges: Floats) -> Floats:
    """Share of each bin; the last one is that of missing values."""
    known = values[np.isfinite(values)]
    counts = np.bincount(np.searchsorted(edges, known, side="right"), minlength=len(edges) + 1)
    every = np.append(counts, len(values) - len(known))
    return np.asarray(every / max(1, len(values)), np.float64)


def _chi_square_999(degrees: int) -> float:
    """99.9 % quantile of the χ² distribution, by the approximation of Wilson and Hilferty (1931)."""
    part = 2 / (9 * max(1, degrees))
    return max(1, degrees) * (1 - part + _Z999 * math.sqrt(part)) ** 3
