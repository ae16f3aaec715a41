"""The latest scores: the stocks with the highest and the lowest score of the last session, and their target weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gogooku3.config.evaluation import Portfolio
from gogooku3.evaluation.weights import score_weights
from gogooku3.report.results import Results

SHOWN = 10
"""Stocks at either end."""


@dataclass(frozen=True)
class Row:
    """A stock of the last session."""

    rank: int
    """From 1, the highest score."""
    code: str
    sector: str
    score: float
    weight: float
    """Fraction of the capital."""


@dataclass(frozen=True)
class Latest:
    """Both ends of the last scored session."""

    session: str
    stocks: int
    """Stocks with a score."""
    top: list[Row]
    bottom: list[Row]
    """The lowest score last."""


def latest(results: Results) -> Latest | None:
    """The scores of the traded horizon in the last session that has any, and the target weights.

    The weights are those of `score_weights`, before delay, turnover limit and limits on short sales. Equal scores are
    in the order of the codes. None if the split has no score.
    """
    predictions = results.predictions
    scores_TS = predictions.scores_TSH[..., predictions.horizons.index(int(results.traded))]
    scored_T = np.isfinite(scores_TS).any(axis=1)
    if not scored_T.any():
        return None
    last = int(np.flatnonzero(scored_T)[-1])
    scores_S = scores_TS[last]
    codes = predictions.codes.to_list()
    sectors = [results.sectors.get(code, "") for code in codes]
    portfolio = Portfolio(**results.params["evaluation"]["portfolio"])
    weights_S = score_weights(scores_S[None], sectors, portfolio)[0]
    order = [int(place) for place in np.argsort(-scores_S, kind="stable") if np.isfinite(scores_S[place])]
    rows = [
        Row(rank, codes[place], sectors[place], float(scores_S[place]), float(weights_S[place]))
        for rank, place in enumerate(order, start=1)
    ]
    ends = min(SHOWN, len(rows) // 2)
    return Latest(str(predictions.sessions[last]), len(rows), rows[:ends], rows[len(rows) - ends :])
