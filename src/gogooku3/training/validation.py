"""Validation after an epoch: RankIC and Sharpe ratio of the scores over the validation split."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from gogooku3.metrics.cross_section import Floats
from gogooku3.metrics.ranking import rank_ic
from gogooku3.metrics.returns import long_short_returns, sharpe
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.network import Network
from gogooku3.model.scoring import score
from gogooku3.training.distributed import SINGLE_PROCESS, Group


@dataclass(frozen=True)
class Validation:
    """The metrics that select an epoch; 0 if no session has a value."""

    rank_ic: float
    """Mean over the horizons of the mean RankIC over sessions, weighted as in the loss."""
    rank_ic_by_horizon: dict[str, float]
    sharpe: float
    """Annualised Sharpe ratio of the dollar-neutral portfolio with weights proportional to the scores, rebalanced every
    session, before costs and delay; mean over the horizons of the scores, weighted as in the loss. The evaluation
    trades one horizon, after a delay, with costs and limits: its Sharpe ratio is another, lower one."""
    finite: bool
    """Whether all scores are finite."""


def validate(
    network: Network, inputs: PanelOnDevice, split: str, weights: Sequence[float], group: Group = SINGLE_PROCESS
) -> Validation:
    """Scores the sessions of a split; the processes score disjoint ranges of sessions.

    Args:
        weights: weight of each horizon.
    """
    panel = inputs.panel
    first, last = panel.split[split]
    length = -(-(last + 1 - first) // group.size)
    begin = min(first + group.rank * length, last + 1)
    end = min(begin + length, last + 1)
    horizons = len(panel.horizons)
    # By horizon RankIC, return, and in the last column the number of scores that are not finite.
    values_TC = np.full((length, 2 * horizons + 1), np.nan)
    if begin < end:
        scores_TSP = score(network, inputs, begin, end - 1)
        next_TS = panel.y_TSH[begin:end, :, panel.horizons.index(1)]
        for p in range(horizons):
            values_TC[: end - begin, p] = rank_ic(scores_TSP[:, :, p], panel.y_TSH[begin:end, :, p])
            values_TC[: end - begin, horizons + p] = long_short_returns(scores_TSP[:, :, p], next_TS)
        bad_TS = panel.present_TS[begin:end] & ~np.isfinite(scores_TSP).all(axis=2)
        values_TC[: end - begin, -1] = bad_TS.sum(axis=1)
    gathered_CT = group.all_gather(torch.from_numpy(values_TC)).numpy().T
    ic = [_mean(ic_T) for ic_T in gathered_CT[:horizons]]
    ratio = [_sharpe(earned_T) for earned_T in gathered_CT[horizons:-1]]
    return Validation(
        _weighted_mean(ic, weights),
        dict(zip(map(str, panel.horizons), ic, strict=True)),
        _weighted_mean(ratio, weights),
        finite=not np.nansum(gathered_CT[-1]),
    )


def _mean(values_T: NDArray[np.float64]) -> float:
    known_T = values_T[~np.isnan(values_T)]
    return math.fsum(known_T) / len(known_T) if len(known_T) else 0.0


def _sharpe(earned_T: Floats) -> float:
    ratio = float(sharpe(earned_T[~np.isnan(earned_T)]))
    return 0.0 if math.isnan(ratio) else ratio


def _weighted_mean(values: Sequence[float], weights: Sequence[float]) -> float:
    return math.fsum(w * value for w, value in zip(weights, values, strict=True)) / math.fsum(weights)
