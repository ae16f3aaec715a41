"""An ensemble scores the mean of its members, to the bit, and comes back from its file as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from gogooku3.errors import MismatchError
from gogooku3.model.ensemble import Ensemble, mean
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.network import Network
from gogooku3.model.scoring import join, score, score_members
from gogooku3.model.weights import (
    WEIGHTS,
    first_member,
    load,
    load_networks,
    read_tensors,
    save,
    write_tensors,
)
from gogooku3.panel.panel import Panel

SEEDS = (1, 2, 3)


@pytest.fixture
def networks(network: Callable[..., Network]) -> list[Network]:
    return [network("finetune", opened=True, seed=seed).eval() for seed in SEEDS]


@pytest.fixture
def inputs(panel: Panel) -> PanelOnDevice:
    return PanelOnDevice(panel, 8, torch.device("cpu"))


@pytest.mark.parametrize("count", [1, 2, 3, 5, 7])
def test_the_mean_of_tensors_and_of_arrays_has_the_same_bytes(count: int) -> None:
    tensors = [torch.randn(1001, generator=torch.Generator().manual_seed(seed)) for seed in range(count)]
    from_tensors, from_arrays = mean(tensors), mean([tensor.numpy() for tensor in tensors])
    assert from_arrays.dtype == np.float32
    assert from_tensors.numpy().tobytes() == from_arrays.tobytes()
    np.testing.assert_allclose(
        from_arrays, np.mean([tensor.numpy() for tensor in tensors], axis=0), rtol=1e-5, atol=1e-6
    )


def test_the_score_of_an_ensemble_is_the_mean_of_its_members_scores(
    networks: list[Network], inputs: PanelOnDevice
) -> None:
    ensemble = join(networks, inputs)
    scores, members = score_members(ensemble, inputs, 5, 40)
    for member, network in zip(members, networks, strict=True):
        np.testing.assert_array_equal(member, score(network, inputs, 5, 40))
    assert score(ensemble, inputs, 5, 40).tobytes() == scores.tobytes()
    assert not np.array_equal(members[0], members[1], equal_nan=True)


def test_members_with_scores_of_another_scale_weigh_the_same(networks: list[Network], inputs: PanelOnDevice) -> None:
    expected = score(join(networks, inputs), inputs, 5, 40)
    with torch.no_grad():
        networks[1].head.weight.mul_(64)
        networks[1].head.bias.mul_(64)
    np.testing.assert_allclose(score(join(networks, inputs), inputs, 5, 40), expected, rtol=1e-4, atol=1e-5)
    first, last = inputs.panel.split["validation"]
    ensemble = join(networks, inputs)
    assert isinstance(ensemble, Ensemble)
    for network, scale_P in zip(networks, ensemble.scales_MP, strict=True):
        scaled_TSP = score(network, inputs, first, last) * scale_P.numpy()
        np.testing.assert_allclose(np.nanstd(scaled_TSP, axis=1).mean(axis=0), 1.0, rtol=1e-5)


def test_a_member_whose_scores_are_all_equal_says_nothing(networks: list[Network], inputs: PanelOnDevice) -> None:
    with torch.no_grad():
        networks[2].head.weight.zero_()
    found, expected = (score(join(each, inputs), inputs, 5, 40) for each in (networks, networks[:2]))
    np.testing.assert_allclose(found, expected * 2 / 3, rtol=1e-5, atol=1e-6)


def test_the_weights_of_an_ensemble_are_the_means_of_its_members_weights(
    networks: list[Network], inputs: PanelOnDevice
) -> None:
    block = inputs.block(20, 4, np.arange(len(inputs.panel.codes)), with_neighbours=False)
    ensemble = join(networks, inputs)
    arguments = (block.x_ZSF, block.neighbours_DSK, block.edges_DSKE)
    with torch.no_grad():
        found, traces = ensemble.trace(*arguments), [network.trace(*arguments) for network in networks]
        torch.testing.assert_close(found.scores_DSP, ensemble(*arguments), rtol=0, atol=0)
    for name in ("selection_ZSF", "attention_DSL", "neighbours_DSKa"):
        expected = torch.stack([getattr(trace, name) for trace in traces]).double().mean(0)
        torch.testing.assert_close(getattr(found, name).double(), expected, rtol=1e-5, atol=1e-6)


def test_members_come_back_from_one_file_in_their_order(
    networks: list[Network], inputs: PanelOnDevice, tmp_path: Path
) -> None:
    folders = []
    for index, network in enumerate(networks):
        folders.append(tmp_path / str(index))
        folders[-1].mkdir()
        save(network, folders[-1])
    together = join(load_networks(folders), inputs)
    whole = tmp_path / "ensemble"
    whole.mkdir()
    save(together, whole)
    read = load(whole)
    assert isinstance(read, Ensemble)
    assert score(read, inputs, 5, 40).tobytes() == score(join(networks, inputs), inputs, 5, 40).tobytes()
    for own, network in zip(read.networks, networks, strict=True):
        assert all(torch.equal(own.state_dict()[name], tensor) for name, tensor in network.state_dict().items())
    first = first_member(read_tensors(whole / WEIGHTS))
    assert {name: tensor.tolist() for name, tensor in first.items()} == {
        name: tensor.tolist() for name, tensor in networks[0].state_dict().items()
    }


def test_one_folder_is_one_network_with_the_same_file(
    networks: list[Network], inputs: PanelOnDevice, tmp_path: Path
) -> None:
    save(networks[0], tmp_path)
    content = (tmp_path / WEIGHTS).read_bytes()
    read = join(load_networks([tmp_path]), inputs)
    assert isinstance(read, Network)
    save(read, tmp_path)
    assert (tmp_path / WEIGHTS).read_bytes() == content
    tensors = read_tensors(tmp_path / WEIGHTS)
    assert first_member(tensors).keys() == tensors.keys()


def test_an_ensemble_that_lacks_a_tensor_of_a_member_is_refused(
    networks: list[Network], inputs: PanelOnDevice, tmp_path: Path
) -> None:
    save(join(networks, inputs), tmp_path)
    tensors = read_tensors(tmp_path / WEIGHTS)
    del tensors["members.1.head.weight"]
    write_tensors(tensors, tmp_path / WEIGHTS)
    with pytest.raises(MismatchError, match=r"members\.1\.head\.weight is missing"):
        load(tmp_path)


def test_an_ensemble_that_lacks_a_whole_member_is_refused(
    networks: list[Network], inputs: PanelOnDevice, tmp_path: Path
) -> None:
    save(join(networks, inputs), tmp_path)
    tensors = {name: tensor for name, tensor in read_tensors(tmp_path / WEIGHTS).items() if "members.1." not in name}
    write_tensors(tensors, tmp_path / WEIGHTS)
    with pytest.raises(MismatchError, match=r"members\.1\.\S+ is missing"):
        load(tmp_path)
