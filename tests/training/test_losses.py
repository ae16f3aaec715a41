"""Losses against closed forms and hand-worked portfolios."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gogooku3.config.train import Loss
from gogooku3.errors import DataError
from gogooku3.training import losses
from gogooku3.training.losses import noise_warning, ranks, require_targets, sharpe_error

from ..recipes import recipe

NAN = math.nan


def weights(sharpe: float = 0.0, rank_ic: float = 0.0, ic: float = 0.0, horizons: list[float] | None = None) -> Loss:
    return Loss(sharpe=sharpe, rank_ic=rank_ic, ic=ic, horizons=horizons or [1.0])


def loss(scores: torch.Tensor, targets: torch.Tensor, chosen: Loss) -> torch.Tensor:
    return losses.loss(scores, targets, chosen, [1, 5][: scores.shape[-1]])


def one_horizon(rows: list[list[float]], dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.tensor(rows, dtype=dtype).unsqueeze(-1)


def test_the_sharpe_term_is_that_of_the_hand_worked_portfolio() -> None:
    """Scores (3, 1, 2) give weights (½, −½, 0); the three sessions earn 0.02, −0.01 and 0.03."""
    scores = one_horizon([[3.0, 1.0, 2.0]] * 3)
    targets = one_horizon([[0.05, 0.01, 9.0], [0.0, 0.02, 0.0], [0.03, -0.03, 0.0]])
    earned = [0.02, -0.01, 0.03]
    expected = -np.mean(earned) / np.std(earned, ddof=1)
    assert loss(scores, targets, weights(sharpe=1.0)).item() == pytest.approx(expected, rel=1e-6)


def test_sessions_with_two_observed_stocks_count_and_those_with_one_do_not() -> None:
    scores = one_horizon([[3.0, 1.0, 2.0]] * 4)
    targets = one_horizon([[0.05, 0.01, NAN], [0.0, 0.02, NAN], [NAN, NAN, 9.0], [0.03, -0.03, 0.0]])
    earned = [0.02, -0.01, 0.03]
    expected = -np.mean(earned) / np.std(earned, ddof=1)
    assert loss(scores, targets, weights(sharpe=1.0)).item() == pytest.approx(expected, rel=1e-6)
    mean_ic = np.mean([1.0, -1.0, np.corrcoef([3.0, 1.0, 2.0], [0.03, -0.03, 0.0])[0, 1]])
    assert loss(scores, targets, weights(ic=1.0)).item() == pytest.approx(-mean_ic, rel=1e-6)


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


def of_a_session(scores_S: np.ndarray, targets_S: np.ndarray) -> tuple[float, np.ndarray]:
    """Return of a session's unit-gross portfolio, and its gradient with respect to the scores.

    With centred scores c and G = Σ|c|, r = Σ c·y / G and ∂r/∂c = (y − r·sign c) / G; centring removes the mean
    from that gradient too.
    """
    centred_S = scores_S - scores_S.mean()
    gross = np.abs(centred_S).sum()
    earned = centred_S @ targets_S / gross
    by_centred_S = (targets_S - earned * np.sign(centred_S)) / gross
    return earned, by_centred_S - by_centred_S.mean()


def gradient(scores: np.ndarray, targets: np.ndarray, chosen: Loss) -> np.ndarray:
    scores_DSP = torch.tensor(scores[..., None], requires_grad=True)
    loss(scores_DSP, torch.tensor(targets[..., None]), chosen).backward()
    assert scores_DSP.grad is not None
    return scores_DSP.grad[..., 0].numpy()


def test_the_gradient_of_the_sharpe_term_is_its_closed_form() -> None:
    """For S = m / s over D sessions, ∂S/∂r_t = 1 / (D·s) − m·(r_t − m) / ((D − 1)·s³)."""
    random = np.random.default_rng(1)
    scores, targets = random.standard_normal((7, 9)), 0.02 * random.standard_normal((7, 9))
    sessions = [of_a_session(*session) for session in zip(scores, targets, strict=True)]
    earned_D = np.array([earned for earned, _ in sessions])
    mean, risk = earned_D.mean(), earned_D.std(ddof=1)
    by_earned_D = 1 / (7 * risk) - mean * (earned_D - mean) / (6 * risk**3)
    expected = -by_earned_D[:, None] * np.array([by_scores_S for _, by_scores_S in sessions])
    np.testing.assert_allclose(gradient(scores, targets, weights(sharpe=1.0)), expected, rtol=1e-5)


@pytest.mark.parametrize("term", ["ic", "rank_ic"])
def test_the_gradient_of_a_correlation_is_its_closed_form(term: str) -> None:
    """With unit vectors a of the centred scores and b of the centred targets, or of their ranks, ∂(a·b)/∂score is
    (b − (a·b)·a) / |centred scores|, here over the number of sessions."""
    random = np.random.default_rng(2)
    scores, targets = random.standard_normal((5, 8)), 0.02 * random.standard_normal((5, 8))
    wanted = targets if term == "ic" else targets.argsort(axis=1).argsort(axis=1).astype(float)
    centred, other = (values - values.mean(axis=1, keepdims=True) for values in (scores, wanted))
    length, other_length = (np.linalg.norm(values, axis=1, keepdims=True) for values in (centred, other))
    a, b = centred / length, other / other_length
    expected = -(b - (a * b).sum(axis=1, keepdims=True) * a) / length / 5
    np.testing.assert_allclose(gradient(scores, targets, weights(**{term: 1.0})), expected, rtol=1e-6, atol=1e-9)


def test_a_score_of_horizon_h_is_held_for_h_sessions() -> None:
    """Cohorts of the last three scores, of fewer at the start; the returns are those of one session."""
    random = np.random.default_rng(4)
    scores, targets = random.standard_normal((6, 9)), 0.02 * random.standard_normal((6, 9, 2))
    centred = scores - scores.mean(axis=1, keepdims=True)
    cohorts = centred / np.abs(centred).sum(axis=1, keepdims=True)
    earned = [cohorts[max(day - 2, 0) : day + 1].mean(axis=0) @ targets[day, :, 0] for day in range(6)]
    both = torch.tensor(np.stack([scores, scores], axis=2))
    found = losses.loss(both, torch.tensor(targets), weights(sharpe=1.0, horizons=[0.0, 1.0]), [1, 3])
    assert found.item() == pytest.approx(-np.mean(earned) / np.std(earned, ddof=1), rel=1e-5)


@pytest.mark.parametrize("horizon", [1, 5, 20])
def test_the_sharpe_ratio_of_noise_is_as_noisy_as_the_warning_says_at_every_horizon(horizon: int) -> None:
    """Scores with a persistence of 0.99, which would make overlapping returns of 20 sessions several times as noisy."""
    random, sessions = torch.Generator().manual_seed(5), 16
    found = []
    for _ in range(400):
        steps = torch.randn(sessions, 40, generator=random, dtype=torch.float64)
        scores = [steps[0]]
        for step in steps[1:]:
            scores.append(0.99 * scores[-1] + math.sqrt(1 - 0.99**2) * step)
        both = torch.stack(scores).unsqueeze(-1).expand(-1, -1, 2)
        centred = both - both.mean(1, keepdim=True)
        returns = 0.02 * torch.randn(sessions, 40, generator=random, dtype=torch.float64)
        found.append(losses.sharpe(centred, returns, torch.ones_like(both, dtype=torch.bool), [1, horizon])[1].item())
    assert np.std(found) == pytest.approx(sharpe_error(0.0, sessions), rel=0.15)


def test_the_standard_error_of_a_sharpe_ratio_agrees_with_simulation() -> None:
    random = np.random.default_rng(3)
    for sharpe, sessions in ((0.0, 60), (0.5, 60), (1.5, 250)):
        drawn = random.normal(sharpe, 1.0, (20_000, sessions))
        estimates = drawn.mean(axis=1) / drawn.std(axis=1, ddof=1)
        assert sharpe_error(sharpe, sessions) == pytest.approx(estimates.std(), rel=0.03)


@pytest.mark.parametrize(
    ("batch_size", "batch_stocks", "message"),
    [
        (256, 64, "is 4 sessions: its Sharpe ratio has a standard error of 0.50 per session"),
        (1024, 94, "is 10 sessions: its Sharpe ratio has a standard error of 0.32 per session"),
        (1024, 85, None),  # 12 sessions
        (1024, 64, None),
    ],
)
def test_batches_too_small_for_a_sharpe_ratio_give_a_warning(
    batch_size: int, batch_stocks: int, message: str | None
) -> None:
    """The lost tier had batches of 256."""
    found = noise_warning(recipe(batch_size=batch_size, batch_stocks=batch_stocks, loss=weights(sharpe=1.0)))
    assert (message is None) == (found is None)
    assert message is None or message in str(found)
    assert noise_warning(recipe(batch_size=batch_size, batch_stocks=batch_stocks, loss=weights(ic=1.0))) is None


def test_ranks_run_from_minus_half_to_half_over_the_observed() -> None:
    found = ranks(one_horizon([[30.0, NAN, 10.0, 20.0]]))
    assert found[0, :, 0].tolist() == [0.5, 0.0, -0.5, 0.0]


def test_a_batch_without_any_target_is_refused_with_its_sessions() -> None:
    with pytest.raises(DataError, match="2024-01-04 to 2024-02-01"):
        require_targets(np.full((3, 4, 1), NAN), "2024-01-04", "2024-02-01")
