"""Initial weights of a phase: from the previous phase, and from a matching base model for the blocks that it adds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gogooku3.config.model import Model
from gogooku3.config.train import LAST_PHASE, Phases
from gogooku3.dataset.schema import Column, Schema
from gogooku3.errors import MismatchError
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.network import Architecture, Network
from gogooku3.model.scoring import score
from gogooku3.model.weights import WEIGHTS, read_tensors, save, write_tensors
from gogooku3.panel.panel import Panel
from gogooku3.runtime.files import write_json
from gogooku3.training.phases import PHASES
from gogooku3.training.start import STATE, require_match, start

SEED = 5


def column(name: str) -> Column:
    return Column(name, "returns", 1, "stock", "", "float32")


SCHEMA = Schema(tuple(column(f"feature_{i}") for i in range(6)), horizons=(1, 5), neighbours=3)


def leave(network: Network, folder: Path, step: float) -> None:
    """Writes a phase's output; `step` marks its optimizer moments."""
    save(network, folder)
    moments = {
        f"{moment}.{name}": torch.full_like(parameter, step) if moment != "step" else torch.tensor(step)
        for name, parameter in network.named_parameters()
        for moment in ("exp_avg", "exp_avg_sq", "step")
    }
    write_tensors(moments, folder / STATE)


@pytest.fixture
def architecture(small: Model) -> Callable[[str], Architecture]:
    return lambda phase: PHASES[phase].architecture(SCHEMA.abi, 6, [1, 5], small)


@pytest.fixture
def parent(tmp_path: Path, network: Callable[..., Network], architecture: Callable[[str], Architecture]) -> Path:
    """A released model, with open gates and moments of 7 steps."""
    folder = tmp_path / "parent"
    made = network("finetune", opened=True, seed=2)
    made.architecture = architecture("finetune")
    leave(made, folder, 7.0)
    write_json(SCHEMA.as_json(), folder / "schema.json")
    return folder


def test_the_parameters_name_the_phases_in_their_order() -> None:
    assert list(PHASES) == [field.name for field in fields(Phases)]
    assert LAST_PHASE not in {phase.previous for phase in PHASES.values()}


def of_block(tensors: dict[str, Tensor], block: str) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in tensors.items() if block in name.split(".")[:2]}


def same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)


def test_the_blocks_that_the_phases_add_make_up_the_network(network: Callable[..., Network]) -> None:
    added = [block for phase in PHASES.values() for block in phase.adds]
    blocks = dict.fromkeys(name.split(".")[0] for name in network("finetune").state_dict())
    assert sorted(added) == sorted(blocks)


def test_from_scratch_a_phase_adds_a_block_that_changes_no_score(
    tmp_path: Path, panel: Panel, network: Callable[..., Network], architecture: Callable[[str], Architecture]
) -> None:
    before = network("adaptive_norm", opened=True)
    leave(before, tmp_path / "adaptive_norm", 3.0)
    made, state = start(PHASES["gat"], architecture("gat"), SEED, tmp_path, None)
    inputs = PanelOnDevice(panel, 8, torch.device("cpu"))
    assert (score(made.eval(), inputs, 20, 25) == score(before, inputs, 20, 25)).all()
    assert same(of_block(made.state_dict(), "graph"), of_block(network("gat", seed=SEED).state_dict(), "graph"))
    assert same(state, read_tensors(tmp_path / "adaptive_norm" / STATE))


def test_handed_on_by_every_phase_a_released_model_is_itself_again(
    tmp_path: Path,
    parent: Path,
    panel: Panel,
    network: Callable[..., Network],
    architecture: Callable[[str], Architecture],
) -> None:
    """Weights, moments, and therefore predictions, to the bit."""
    for name, phase in PHASES.items():
        made, state = start(phase, architecture(name), SEED, tmp_path, parent)
        save(made, tmp_path / name)
        write_tensors(state, tmp_path / name / STATE)
    assert (tmp_path / name / WEIGHTS).read_bytes() == (parent / WEIGHTS).read_bytes()
    assert (tmp_path / name / STATE).read_bytes() == (parent / STATE).read_bytes()
    inputs = PanelOnDevice(panel, 8, torch.device("cpu"))
    released = network("finetune", opened=True, seed=2)
    assert (score(made.eval(), inputs, 20, 25) == score(released, inputs, 20, 25)).all()


def test_weights_of_a_trained_phase_are_not_overwritten_by_the_base_model(
    tmp_path: Path, parent: Path, network: Callable[..., Network], architecture: Callable[[str], Architecture]
) -> None:
    leave(network("adaptive_norm", seed=3), tmp_path / "adaptive_norm", 11.0)
    made, state = start(PHASES["gat"], architecture("gat"), SEED, tmp_path, parent)
    trained, released = (read_tensors(folder / WEIGHTS) for folder in (tmp_path / "adaptive_norm", parent))
    for block, source, step in (
        ("temporal", trained, 11.0),
        ("adaptive_norm", trained, 11.0),
        ("graph", released, 7.0),
    ):
        assert same(of_block(made.state_dict(), block), of_block(source, block)), block
        steps = {float(tensor) for name, tensor in of_block(state, block).items() if name.startswith("step.")}
        assert steps == {step}, block


def test_a_block_that_the_released_model_lacks_starts_from_the_seed(
    tmp_path: Path, network: Callable[..., Network], architecture: Callable[[str], Architecture]
) -> None:
    leave(network("adaptive_norm", seed=2), tmp_path / "parent", 7.0)
    leave(network("adaptive_norm", seed=3), tmp_path / "adaptive_norm", 11.0)
    made, state = start(PHASES["gat"], architecture("gat"), SEED, tmp_path, tmp_path / "parent")
    assert same(of_block(made.state_dict(), "graph"), of_block(network("gat", seed=SEED).state_dict(), "graph"))
    assert not of_block(state, "graph")


def test_a_released_block_that_is_not_whole_is_refused(
    tmp_path: Path, parent: Path, architecture: Callable[[str], Architecture]
) -> None:
    tensors = read_tensors(parent / WEIGHTS)
    del tensors["head.bias"]
    write_tensors(tensors, parent / WEIGHTS)
    with pytest.raises(MismatchError, match=r"head\.bias is missing"):
        start(PHASES["baseline"], architecture("baseline"), SEED, tmp_path, parent)


def test_a_base_model_may_differ_in_dropout(parent: Path, architecture: Callable[[str], Architecture]) -> None:
    own = architecture("finetune")
    require_match(parent, "tier1@v1.0.0", replace(own, backbone=replace(own.backbone, dropout=0.5)), SCHEMA)


def test_every_parameter_that_differs_is_named_with_both_values(
    parent: Path, architecture: Callable[[str], Architecture]
) -> None:
    own = architecture("finetune")
    assert own.graph is not None
    other = replace(
        own, horizons=[1, 20], backbone=replace(own.backbone, hidden_size=16), graph=replace(own.graph, heads=4)
    )
    with pytest.raises(MismatchError) as refused:
        require_match(parent, "tier1@v1.0.0", other, SCHEMA)
    assert refused.value.message.endswith(
        ": `dataset.horizons` is [1, 20], `tier1@v1.0.0` has [1, 5];"
        " `model.backbone.hidden_size` is 16, `tier1@v1.0.0` has 8; `model.graph.heads` is 4, `tier1@v1.0.0` has 2"
    )
    assert "`-S dataset.horizons=[1,5] -S model.backbone.hidden_size=8 -S model.graph.heads=2`" in refused.value.hint


@pytest.mark.parametrize(
    ("features", "expected_text"),
    [
        ([0, 1, 2, 3, 4], "1 missing: feature_5"),
        ([0, 1, 2, 3, 4, 5, 6], "1 added: feature_6"),
        ([1, 0, 2, 3, 4, 5], "2 reordered: feature_1 where feature_0 belongs, feature_0 where feature_1 belongs"),
    ],
)
def test_a_dataset_of_other_features_is_refused_by_column(
    parent: Path, architecture: Callable[[str], Architecture], features: list[int], expected_text: str
) -> None:
    other = replace(SCHEMA, features=tuple(column(f"feature_{i}") for i in features))
    with pytest.raises(MismatchError, match=f"does not have the features of `tier1@v1.0.0`: {expected_text}"):
        require_match(parent, "tier1@v1.0.0", architecture("finetune"), other)


def test_a_feature_that_is_normalised_otherwise_is_another_feature(
    parent: Path, architecture: Callable[[str], Architecture]
) -> None:
    by_rank = replace(SCHEMA, features=(replace(SCHEMA.features[0], scope="rank"), *SCHEMA.features[1:]))
    with pytest.raises(MismatchError, match=r"feature_0 \(float32, by rank for float32, by stock\)"):
        require_match(parent, "tier1@v1.0.0", architecture("finetune"), by_rank)
