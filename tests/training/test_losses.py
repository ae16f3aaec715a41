"""Losses against closed forms and hand-worked portfolios."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gogooku3.config.train import Loss
from gogooku3.errors import DataError
from gogooku3.training.losses import loss, ranks, require_targets

NAN = math.nan


def weights(sharpe: float = 0.0, rank_ic: float = 0.0, ic: float = 0.0, horizons: list[float] | None = None) -> Loss:
    return Loss(sharpe=sharpe, rank_ic=rank_ic, ic=ic, horizons=horizons or [1.0])


def one_horizon(rows: list[list[float]], dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.tensor(rows, dtype=dtype).unsqueeze(-1)


def test_the_sharpe_term_is_that_of_the_hand_worked_portfolio() -> None:
    """Scores (3, 1, 2) give weights (½, −½, 0); the three sessions earn 0.02, −0.01 and 0.03."""
    scores = one_horizon([[3.0, 1.0, 2.0]] * 3)
    targets = one_horizon([[0.05, 0.01, 9.0], [0.0, 0.02, 0.0], [0.03, -0.03, 0.0]])
    earned = [0.02, -0.01, 0.03]
    expected = -np.mean(earned) / np.std(earned, ddof=1)
    assert loss(scores, targets, weights(sharpe=1.0)).item() == pytest.approx(expected, rel=1e-6)


def test_the_sharpe_term_knows_neither_level_nor_scale_of_the_scores() -> None:
    scores, targets = torch.randn(6, 9, 1, dtype=torch.float64), torch.randn(6, 9, 1, dtype=torch.float64)
    one = loss(scores, targets, weights(sharpe=1.0))
    assert loss(7 * scores + 3, targets, weights(sharpe=1.0)).item() == pytest.approx(one.item(), rel=1e-6)


def test_the_ic_term_is_minus_the_mean_correlation() -> None:
    scores, targets = torch.randn(5, 20, 1, dtype=torch.float64), torch.randn(5, 20, 1, dtype=torch.float64)
    expected = -np.mean([np.corrcoef(s, t)[0, 1] for s, t in zip(scores[..., 0], targets[..., 0], strict=True)])
    assert loss(scores, targets, weights(ic=1.0)).item() == pytest.approx(expected, rel=1e-9)


def test_the_rank_ic_term_is_minus_one_for_scores_that_are_the_targets_ranks() -> None:
    targets = torch.randn(4, 11, 1, dtype=torch.float64)
    assert loss(ranks(targets).double(), targets, weights(rank_ic=1.0)).item() == pytest.approx(-1)


def test_a_missing_target_takes_its_stock_out_and_is_not_a_zero_return() -> None:
    scores, targets = torch.randn(6, 5, 1, dtype=torch.float64), torch.randn(6, 5, 1, dtype=torch.float64)
    holed = torch.cat([targets, torch.full((6, 1, 1), NAN, dtype=torch.float64)], dim=1)
    wider = torch.cat([scores, torch.full((6, 1, 1), 100.0, dtype=torch.float64)], dim=1).requires_grad_()
    every = weights(sharpe=1.0, rank_ic=1.0, ic=1.0)
    value = loss(wider, holed, every)
    assert value.item() == pytest.approx(loss(scores, targets, every).item(), rel=1e-9)
    value.backward()
    assert wider.grad is not None
    assert (wider.grad[:, 5] == 0).all()
    zero_filled = loss(wider, torch.nan_to_num(holed), every)
    assert zero_filled.item() != pytest.approx(value.item(), rel=1e-3)


def test_a_session_without_targets_does_not_count() -> None:
    scores, targets = torch.randn(6, 5, 1, dtype=torch.float64), torch.randn(6, 5, 1, dtype=torch.float64)
    empty = torch.full((1, 5, 1), NAN, dtype=torch.float64)
    every = weights(sharpe=1.0, rank_ic=1.0, ic=1.0)
    longer = loss(torch.cat([scores, torch.randn(1, 5, 1, dtype=torch.float64)]), torch.cat([targets, empty]), every)
    assert longer.item() == pytest.approx(loss(scores, targets, every).item(), rel=1e-9)


def test_a_term_of_weight_zero_has_no_part_even_when_it_is_undefined() -> None:
    scores = torch.zeros(3, 4, 1, requires_grad=True)
    value = loss(scores, torch.full((3, 4, 1), torch.inf), weights(ic=0.0, rank_ic=1.0))
    assert value.isfinite()


def test_horizons_are_averaged_by_their_weights() -> None:
    scores, targets = torch.randn(5, 9, 2), torch.randn(5, 9, 2)
    first = loss(scores[..., :1], targets[..., :1], weights(ic=1.0))
    second = loss(scores[..., 1:], targets[..., 1:], weights(ic=1.0))
    both = loss(scores, targets, weights(ic=1.0, horizons=[3.0, 1.0]))
    assert both.item() == pytest.approx((0.75 * first + 0.25 * second).item(), rel=1e-5)


@pytest.mark.parametrize("term", ["sharpe", "rank_ic", "ic"])
def test_the_gradient_is_the_derivative(term: str) -> None:
    targets = 0.02 * torch.randn(5, 6, 2, dtype=torch.float64)
    targets[0, 1, 0] = NAN
    chosen = weights(**{term: 1.0}, horizons=[1.0, 2.0])
    scores = torch.randn(5, 6, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s: loss(s, targets, chosen), (scores,), rtol=1e-4)


def test_ranks_run_from_minus_half_to_half_over_the_observed() -> None:
    found = ranks(one_horizon([[30.0, NAN, 10.0, 20.0]]))
    assert found[0, :, 0].tolist() == [0.5, 0.0, -0.5, 0.0]


def test_a_batch_without_any_target_is_refused_with_its_sessions() -> None:
    with pytest.raises(DataError, match="2024-01-04 to 2024-02-01"):
        require_targets(torch.full((3, 4, 1), NAN), "2024-01-04", "2024-02-01")
