"""Training loss: minus the Sharpe ratio of the daily long-short portfolio that the scores imply, and IC terms.

A missing target (NaN) excludes the stock from the session: it is neither a zero return nor part of the portfolio.
Letters of shapes: D sessions of a batch, S stocks, P horizons.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gogooku3.config.train import Loss, Recipe
from gogooku3.errors import DataError

_EPSILON = 1e-8
_VARIANCE_FLOOR = 1e-12
_NOISY = 0.3
"""Standard error of a batch's Sharpe ratio above which `noise_warning` warns; 12 sessions stay below it."""


def loss(scores_DSP: Tensor, targets_DSP: Tensor, weights: Loss, horizons: Sequence[int]) -> Tensor:
    """The weighted sum of the terms, averaged over horizons by `weights.horizons`; a term of weight 0 is not computed.

    Args:
        scores_DSP: scores of consecutive sessions.
        targets_DSP: targets with NaN where missing.
        horizons: horizons of the targets in sessions; the Sharpe term needs 1 among them.

    Shapes: [D, S, P], [D, S, P] → scalar.
    """
    observed_DSP = ~torch.isnan(targets_DSP)
    returns_DSP = torch.where(observed_DSP, targets_DSP, 0.0)
    centred_DSP = _centred(scores_DSP, observed_DSP)
    term_P = scores_DSP.new_zeros(scores_DSP.shape[-1])
    if weights.sharpe:
        next_DS = returns_DSP[..., horizons.index(1)]
        term_P = term_P - weights.sharpe * sharpe(centred_DSP, next_DS, observed_DSP, horizons)
    if weights.rank_ic:
        term_P = term_P - weights.rank_ic * correlation(centred_DSP, ranks(targets_DSP), observed_DSP)
    if weights.ic:
        term_P = term_P - weights.ic * correlation(centred_DSP, returns_DSP, observed_DSP)
    # Filled on the device: a copy from the host would wait for it.
    share_P = torch.cat([term_P.new_full((1,), share) for share in weights.horizons])
    return (term_P * share_P).sum() / share_P.sum()


def sharpe(centred_DSP: Tensor, next_DS: Tensor, observed_DSP: Tensor, horizons: Sequence[int]) -> Tensor:
    """Sharpe ratio over the batch's sessions of a dollar-neutral long-short portfolio, rebalanced every session.

    A score of horizon h is held for h sessions: the portfolio of a session is the mean of the unit-gross portfolios of
    the last h scores (cohorts; Jegadeesh and Titman, 1993), or of as many as the batch has. Its returns are those of
    one session and do not overlap. Returns of h sessions, one per session, would be D / h independent ones.

    Per session and not annualised; sessions with fewer than two observed stocks are left out.

    Args:
        centred_DSP: scores minus their mean in the session, 0 where missing.
        next_DS: returns to the next session, 0 where missing.
        horizons: horizons in sessions.

    Shapes: → [P].
    """
    cohort_DSP = centred_DSP / (centred_DSP.abs().sum(1, keepdim=True) + _EPSILON)
    held_DSP = torch.einsum("pde,esp->dsp", _holding(cohort_DSP, horizons), cohort_DSP)
    earned_DP = (held_DSP * next_DS.unsqueeze(-1)).sum(1)
    counts_DP = (observed_DSP.sum(1) >= 2).to(earned_DP.dtype)
    sessions_P = counts_DP.sum(0)
    mean_P = (earned_DP * counts_DP).sum(0) / sessions_P.clamp(min=1)
    variance_P = ((earned_DP - mean_P).square() * counts_DP).sum(0) / (sessions_P - 1).clamp(min=1)
    # The floor keeps the gradient finite for a portfolio of near-zero risk.
    return mean_P * (variance_P + _VARIANCE_FLOOR).rsqrt()


def _holding(cohort_DSP: Tensor, horizons: Sequence[int]) -> Tensor:
    """Weight of each session's cohort in the portfolio of a session, [P, D, D]: the mean of the last h. Made on the
    device: a copy from the host would wait for it."""
    session_D = torch.arange(len(cohort_DSP), device=cohort_DSP.device)
    age_DD = session_D.unsqueeze(1) - session_D
    held_PDD = torch.stack([(age_DD >= 0) & (age_DD < horizon) for horizon in horizons]).double()
    return (held_PDD / held_PDD.sum(-1, keepdim=True)).to(cohort_DSP.dtype)


def sharpe_error(sharpe: float, sessions: int) -> float:
    """Standard error of a per-session Sharpe ratio estimated from T sessions: √((1 + ½ Sharpe²) / T) for independent
    returns (Lo, 2002)."""
    return math.sqrt((1 + sharpe**2 / 2) / sessions)


def noise_warning(recipe: Recipe) -> str | None:
    """Warning text if batches are so short that their Sharpe ratio is mostly noise, else None."""
    sessions = recipe.batch_sessions
    error = sharpe_error(0.0, sessions)
    if recipe.loss.sharpe == 0 or error <= _NOISY:
        return None
    enough = math.ceil(1 / _NOISY**2)
    return (
        f"a batch of {recipe.batch_size} samples over {recipe.batch_stocks} stocks is {sessions} sessions: its Sharpe"
        f" ratio has a standard error of {error:.2f} per session, several times the signal (an annual Sharpe ratio of 2"
        f" is 0.13 per session). Use {enough} sessions or more: raise `train.recipe.batch_size` or lower"
        " `batch_stocks`"
    )


def correlation(centred_DSP: Tensor, other_DSP: Tensor, observed_DSP: Tensor) -> Tensor:
    """Mean over sessions of the cross-sectional Pearson correlation. Shapes: [D, S, P] → [P]."""
    other_DSP = _centred(other_DSP, observed_DSP)
    covariance_DP = (centred_DSP * other_DSP).sum(1)
    scale_DP = (centred_DSP.square().sum(1) * other_DSP.square().sum(1) + _EPSILON * _EPSILON).rsqrt()
    counts_DP = (observed_DSP.sum(1) >= 2).to(covariance_DP.dtype)
    return (covariance_DP * scale_DP * counts_DP).sum(0) / counts_DP.sum(0).clamp(min=1)


def ranks(targets_DSP: Tensor) -> Tensor:
    """Rank of each observed target within its session, scaled to [−½, ½]; 0 where missing. Shapes: [D, S, P].

    The correlation of scores with these ranks is a differentiable surrogate for RankIC.
    """
    observed_DSP = ~torch.isnan(targets_DSP)
    order_DSP = torch.where(observed_DSP, targets_DSP, torch.inf).argsort(dim=1, stable=True).argsort(dim=1)
    count_D1P = observed_DSP.sum(1, keepdim=True).clamp(min=2)
    return torch.where(observed_DSP, order_DSP / (count_D1P - 1) - 0.5, 0.0)


def require_targets(targets_DSP: np.ndarray, first: str, last: str) -> None:
    """Raises `DataError` if the batch has no session with two observed targets. In the host's memory: nothing waits for
    the device."""
    if not ((~np.isnan(targets_DSP)).sum(1) >= 2).any():
        raise DataError(
            f"the batch of sessions {first} to {last} has no session with two observed targets",
            hint="check `dataset.split` and the quotes of those sessions",
        )


def _centred(values_DSP: Tensor, observed_DSP: Tensor) -> Tensor:
    """Values minus their session's mean over the observed stocks, 0 elsewhere."""
    count_D1P = observed_DSP.sum(1, keepdim=True).clamp(min=1)
    kept_DSP = torch.where(observed_DSP, values_DSP, 0.0)
    return torch.where(observed_DSP, values_DSP - kept_DSP.sum(1, keepdim=True) / count_D1P, 0.0)
