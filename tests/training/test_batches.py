"""Batch sampler: a function of seed, phase and epoch, within the train split, every sample once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gogooku3.config.train import Loss
from gogooku3.errors import DataError
from gogooku3.panel.panel import Panel
from gogooku3.training.batches import Batch, plan

from ..recipes import recipe

RECIPE = recipe(
    batch_size=20, batch_stocks=5, weight_decay=0.0, loss=Loss(sharpe=1.0, rank_ic=0.0, ic=0.0, horizons=[1.0, 1.0])
)


def samples(batches: list[Batch]) -> list[tuple[int, int]]:
    return [(t, int(s)) for b in batches for t in range(b.first, b.first + b.sessions) for s in b.stocks_S]


def key(batches: list[Batch]) -> list[tuple[int, ...]]:
    return [(b.first, *b.stocks_S.tolist()) for b in batches]


def test_a_batch_is_whole_sessions_of_batch_size_samples(panel: Panel) -> None:
    assert all(b.sessions * len(b.stocks_S) == 20 for b in plan(panel, RECIPE, "baseline", 0))


def test_no_sample_comes_twice_in_an_epoch_and_none_from_outside_the_train_split(panel: Panel) -> None:
    for epoch in range(5):
        seen = samples(plan(panel, RECIPE, "baseline", epoch))
        assert len(seen) == len(set(seen))
        assert {t for t, _ in seen} <= set(range(40))


@pytest.mark.parametrize("length", [39, 40, 41])
@pytest.mark.parametrize("sessions", [2, 3, 5, 7, 8, 20, 39])
def test_no_batch_runs_past_the_ends_of_the_train_split(panel: Panel, sessions: int, length: int) -> None:
    """Blocks that do not divide the split start later in some epochs; the last one still ends inside it."""
    recipe = replace(RECIPE, batch_size=12 * sessions, batch_stocks=12)
    inner = replace(panel, split=panel.split | {"train": (3, 2 + length)})
    plans = [plan(inner, recipe, "baseline", epoch) for epoch in range(30)]
    assert {len(batches) for batches in plans} == {length // sessions}
    assert min(b.first for batches in plans for b in batches) >= 3
    assert max(b.first + b.sessions - 1 for batches in plans for b in batches) <= 2 + length


def test_every_session_and_stock_is_seen_over_some_epochs(panel: Panel) -> None:
    seen = {sample for epoch in range(12) for sample in samples(plan(panel, RECIPE, "baseline", epoch))}
    assert {t for t, _ in seen} == set(range(40))
    assert {s for _, s in seen} == set(range(12))


def test_the_order_depends_on_seed_phase_and_epoch_alone(panel: Panel) -> None:
    one = key(plan(panel, RECIPE, "gat", 3))
    assert one == key(plan(panel, RECIPE, "gat", 3))
    assert one != key(plan(panel, RECIPE, "gat", 4))
    assert one != key(plan(panel, RECIPE, "finetune", 3))
    assert one != key(plan(panel, replace(RECIPE, seed=2), "gat", 3))


def test_all_stocks_form_one_group_when_they_are_fewer_than_asked_for(panel: Panel) -> None:
    batches = plan(panel, replace(RECIPE, batch_size=80, batch_stocks=20), "baseline", 0)
    assert all(len(b.stocks_S) in (11, 12) for b in batches)


def test_a_stock_that_does_not_trade_in_a_block_is_not_drawn(panel: Panel) -> None:
    early = [b for b in plan(panel, replace(RECIPE, batch_size=44, batch_stocks=11), "baseline", 0) if b.first <= 6]
    assert early
    assert all(3 not in b.stocks_S for b in early)


def test_a_train_split_shorter_than_a_batch_is_refused(panel: Panel) -> None:
    with pytest.raises(DataError, match="train split has 40 sessions, a batch takes 50"):
        plan(panel, replace(RECIPE, batch_size=500, batch_stocks=10), "baseline", 0)


def test_drawn_stocks_are_sorted_so_that_sums_have_one_order(panel: Panel) -> None:
    assert all((np.diff(b.stocks_S) > 0).all() for b in plan(panel, RECIPE, "baseline", 0))
