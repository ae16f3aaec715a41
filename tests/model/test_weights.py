"""Weight files: round trip, and every mismatch is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from gogooku3.errors import DataError, MismatchError
from gogooku3.model.network import Network
from gogooku3.model.weights import CONFIG, WEIGHTS, fill, load, read_tensors, save, write_tensors


@pytest.mark.parametrize("phase", ["baseline", "gat"])
def test_a_saved_network_round_trips_bitwise(network: Callable[..., Network], tmp_path: Path, phase: str) -> None:
    made = network(phase)
    save(made, tmp_path)
    loaded = load(tmp_path)
    assert loaded.architecture == made.architecture
    assert loaded.state_dict().keys() == made.state_dict().keys()
    assert all(torch.equal(tensor, loaded.state_dict()[name]) for name, tensor in made.state_dict().items())


def test_the_bytes_do_not_depend_on_the_order_of_the_tensors(tmp_path: Path) -> None:
    tensors = {"b": torch.ones(3), "a": torch.zeros(2, 2)}
    write_tensors(tensors, tmp_path / "1")
    write_tensors(dict(reversed(tensors.items())), tmp_path / "2")
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_weights_of_another_architecture_are_refused_by_tensor(network: Callable[..., Network], tmp_path: Path) -> None:
    save(network("baseline"), tmp_path)
    config = (tmp_path / CONFIG).read_text().replace('"hidden_size": 8', '"hidden_size": 16')
    (tmp_path / CONFIG).write_text(config)
    with pytest.raises(
        MismatchError, match=r"head.weight is float32\[2, 8\], the configuration gives float32\[2, 16\]"
    ):
        load(tmp_path)


def test_a_block_that_the_weights_lack_is_named(network: Callable[..., Network]) -> None:
    with pytest.raises(MismatchError, match=r"graph\.attention_aD is missing"):
        fill(network("gat"), network("adaptive_norm").state_dict(), Path("w"))
    with pytest.raises(MismatchError, match=r"graph\.attention_aD is unexpected"):
        fill(network("adaptive_norm"), network("gat").state_dict(), Path("w"))


@pytest.mark.parametrize("content", [b"", b"\x80\x04K\x01.", b"PK\x03\x04 not safetensors"])
def test_an_invalid_safetensors_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / WEIGHTS).write_bytes(content)
    with pytest.raises(DataError, match="not a valid safetensors file"):
        read_tensors(tmp_path / WEIGHTS)


def test_a_truncated_file_is_refused(network: Callable[..., Network], tmp_path: Path) -> None:
    save(network("baseline"), tmp_path)
    path = tmp_path / WEIGHTS
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="not a valid safetensors file"):
        load(tmp_path)


def test_an_absent_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"config\.json` does not exist"):
        load(tmp_path)
