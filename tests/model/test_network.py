"""Inputs that scores depend on, and those that they must not depend on (no look-ahead)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from dvc.utils.hydra import compose_and_dump
from torch import Tensor

from gogooku3 import config
from gogooku3.features.registry import select
from gogooku3.model.inputs import Block, PanelOnDevice
from gogooku3.model.network import Network
from gogooku3.panel.panel import Panel
from gogooku3.training.phases import PHASES

ROOT = Path(__file__).parents[2]
PHASE_NAMES = list(PHASES)
CPU = torch.device("cpu")


@pytest.fixture
def block(panel: Panel) -> Block:
    return PanelOnDevice(panel, 8, CPU).block(20, 3, np.arange(len(panel.codes)), with_neighbours=False)


def scores(network: Network, block: Block, x_ZSF: Tensor | None = None) -> Tensor:
    return network(block.x_ZSF if x_ZSF is None else x_ZSF, block.neighbours_DSK, block.edges_DSKE)


@pytest.mark.parametrize("phase", PHASE_NAMES)
def test_every_session_of_the_window_and_every_feature_moves_the_score(
    network: Callable[..., Network], block: Block, phase: str
) -> None:
    """The old head read a time step that the normalisation had zeroed."""
    x_ZSF = torch.nan_to_num(block.x_ZSF).requires_grad_()
    scores(network(phase, opened=True), block, x_ZSF)[-1].sum().backward()
    assert x_ZSF.grad is not None
    window = x_ZSF.grad[-8:].abs()
    assert (window.sum(dim=(1, 2)) > 0).all(), "a session of the window has no influence"
    assert (window.sum(dim=(0, 1)) > 0).all(), "a feature has no influence"
    assert (window.sum(dim=(0, 2)) > 0).all(), "a stock has no influence"
    assert (x_ZSF.grad[:-8] == 0).all(), "the score reaches beyond its window"


@pytest.mark.parametrize("phase", PHASE_NAMES)
def test_a_score_does_not_depend_on_later_sessions(network: Callable[..., Network], block: Block, phase: str) -> None:
    made = network(phase, opened=True)
    altered = block.x_ZSF.clone()
    altered[-1] += 1
    before, after = scores(made, block), scores(made, block, altered)
    assert torch.equal(before[:-1], after[:-1])
    assert not torch.equal(before[-1], after[-1])


@pytest.mark.parametrize(
    ("phase", "hears"), [("baseline", False), ("adaptive_norm", False), ("gat", True), ("finetune", True)]
)
def test_a_neighbour_affects_scores_only_with_the_graph_block(
    network: Callable[..., Network], block: Block, phase: str, hears: bool
) -> None:
    """No edge ever reached the old graph block."""
    made = network(phase, opened=True)
    altered = block.x_ZSF.clone()
    altered[:, 1] += 1  # the ring's neighbour of stock 0; it is a neighbour of stock 11 too, but not of stocks 2 to 9
    before, after = scores(made, block), scores(made, block, altered)
    assert torch.equal(before[:, 0], after[:, 0]) is not hears
    assert torch.equal(before[:, 2:9], after[:, 2:9])


def test_the_edge_attributes_matter(network: Callable[..., Network], block: Block) -> None:
    made = network("gat", opened=True)
    changed = torch.randn(block.edges_DSKE.shape)
    assert not torch.equal(scores(made, block), made(block.x_ZSF, block.neighbours_DSK, changed))


def test_a_stock_without_neighbours_keeps_its_own_score(network: Callable[..., Network], block: Block) -> None:
    made = network("gat", opened=True)
    nobody = torch.full_like(block.neighbours_DSK, -1)
    alone = made(block.x_ZSF, nobody, block.edges_DSKE)
    made.graph = None
    assert torch.equal(alone, scores(made, block))


@pytest.mark.parametrize(("phase", "previous"), [("adaptive_norm", "baseline"), ("gat", "adaptive_norm")])
def test_a_new_block_starts_without_any_effect_and_learns_from_the_first_step(
    network: Callable[..., Network], block: Block, phase: str, previous: str
) -> None:
    before, after = network(previous), network(phase)
    after.load_state_dict(before.state_dict(), strict=False)
    new = {name: p for name, p in after.named_parameters() if name not in dict(before.named_parameters())}
    assert new
    assert torch.equal(scores(before, block), scores(after, block))
    scores(after, block).square().sum().backward()
    assert any(p.grad is not None and bool(p.grad.ne(0).any()) for p in new.values()), "the gate cannot open"


def test_switching_a_block_on_leaves_the_first_weights_of_the_others(network: Callable[..., Network]) -> None:
    one, two = network("baseline").state_dict(), network("gat").state_dict()
    assert all(torch.equal(tensor, two[name]) for name, tensor in one.items())


def test_a_missing_value_is_not_read_as_zero(network: Callable[..., Network], block: Block) -> None:
    made = network("baseline")
    hole, zero = block.x_ZSF.clone(), block.x_ZSF.clone()
    hole[-1, 0, 0], zero[-1, 0, 0] = torch.nan, 0.0
    with_hole, with_zero = scores(made, block, hole), scores(made, block, zero)
    assert with_hole.isfinite().all()
    assert not torch.equal(with_hole[-1, 0], with_zero[-1, 0])


def test_the_order_of_the_stocks_has_no_meaning(network: Callable[..., Network], block: Block) -> None:
    made = network("finetune", opened=True)
    order = torch.randperm(12)
    place = order.argsort()
    permuted = made(block.x_ZSF[:, order], place[block.neighbours_DSK][:, order], block.edges_DSKE[:, order])
    torch.testing.assert_close(permuted, scores(made, block)[:, order], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("tier", "hidden_size", "features", "parameters"),
    [
        ("tier1", 64, 395, 5_544_636),
        ("tier1_playbook", 64, 395, 5_544_636),
        ("tier2", 256, 395, 80_870_700),
        ("tier3", 256, 220, 45_800_175),
    ],
)
def test_the_tiers_have_the_documented_number_of_parameters(
    tmp_path: Path, tier: str, hidden_size: int, features: int, parameters: int
) -> None:
    """Counted without memory for them; `docs/training.md` has the table."""
    compose_and_dump(tmp_path / "params.yaml", str(ROOT / "conf"), None, "config", str(ROOT), [f"tier={tier}"])
    params = config.load(tmp_path / "params.yaml")
    assert (len(select(params.dataset.features)), params.model.backbone.hidden_size) == (features, hidden_size)
    architecture = PHASES["finetune"].architecture("", features, params.dataset.horizons, params.model)
    with torch.device("meta"):
        network = Network(architecture, 0)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    phases = params.train.phases
    epochs = [each.epochs for each in (phases.baseline, phases.adaptive_norm, phases.gat, phases.finetune)]
    row = f"| `{tier}` | {hidden_size} | {features} | {parameters:,} | {' + '.join(map(str, epochs))} = {sum(epochs)} |"
    assert row in (ROOT / "docs/training.md").read_text(encoding="utf-8")
