"""Package integrity against its manifest, and golden predictions with their largest difference."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from gogooku3.config.numerics import Numerics
from gogooku3.errors import DataError, MismatchError
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.network import Network
from gogooku3.model.weights import read_tensors, save
from gogooku3.package.environment import read_numerics
from gogooku3.package.golden import INPUTS, max_golden_difference, write_golden
from gogooku3.package.manifest import MANIFEST, check_manifest, write_manifest
from gogooku3.panel.panel import Panel

CPU = torch.device("cpu")


@pytest.fixture
def package(tmp_path: Path, panel: Panel, network: Callable[..., Network]) -> Path:
    folder = tmp_path / "package"
    (folder / "golden").mkdir(parents=True)
    made = network("gat", opened=True)
    save(made, folder)
    write_golden(made, PanelOnDevice(panel, 8, CPU), folder)
    write_manifest(folder)
    return folder


def test_a_whole_package_passes(package: Path) -> None:
    check_manifest(package)
    assert set(json.loads((package / MANIFEST).read_text())["sha256"]) == {
        "config.json",
        "model.safetensors",
        "golden/inputs.safetensors",
        "golden/predictions.safetensors",
    }


def test_one_flipped_bit_is_found(package: Path) -> None:
    weights = package / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    with pytest.raises(MismatchError, match=r"model\.safetensors was altered"):
        check_manifest(package)


def test_a_lost_file_is_found(package: Path) -> None:
    (package / INPUTS).unlink()
    with pytest.raises(MismatchError, match=r"golden/inputs\.safetensors is missing"):
        check_manifest(package)


def test_a_file_that_the_manifest_does_not_name_is_found(package: Path) -> None:
    (package / "golden" / "extra.bin").write_bytes(b"")
    with pytest.raises(MismatchError, match=r"golden/extra\.bin is not in the manifest"):
        check_manifest(package)


@pytest.mark.parametrize("content", [None, "{}", "not JSON", '{"sha256": 1}'])
def test_a_folder_without_a_readable_manifest_is_refused(package: Path, content: str | None) -> None:
    (package / MANIFEST).unlink()
    if content is not None:
        (package / MANIFEST).write_text(content)
    with pytest.raises(DataError):
        check_manifest(package)


def test_golden_predictions_come_out_to_the_bit(package: Path, network: Callable[..., Network]) -> None:
    assert max_golden_difference(network("gat", opened=True), package, CPU) == 0.0


def test_golden_predictions_tell_another_model(package: Path, network: Callable[..., Network]) -> None:
    other = network("gat", opened=True)
    with torch.no_grad():
        other.head.bias[0] += 0.25
    assert max_golden_difference(other, package, CPU) == pytest.approx(0.25, rel=1e-5)


def test_golden_inputs_bring_the_neighbours_along(package: Path) -> None:
    inputs = read_tensors(package / INPUTS)
    assert (inputs["neighbours"][:, :4] >= 0).all(), "the graph block would go untested"
    assert inputs["x"].isnan().any(), "the mask would go untested"


@pytest.mark.parametrize("content", [None, "{}", '{"numerics": {"device": "abacus"}}'])
def test_an_environment_that_names_no_numerics_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "environment.json").write_text(content)
    with pytest.raises(DataError):
        read_numerics(tmp_path)


def test_a_package_from_before_there_was_a_choice_has_float32_from_one_process(tmp_path: Path) -> None:
    content = {"numerics": {"device": "cpu", "threads": 2, "instruction_set": "portable"}}
    (tmp_path / "environment.json").write_text(json.dumps(content))
    assert read_numerics(tmp_path) == Numerics(
        "cpu", 2, "portable", "float32", processes=1, shares=1, reduction="fixed"
    )


def test_a_file_in_place_of_a_package_is_refused(package: Path) -> None:
    for read in (read_numerics, check_manifest):
        with pytest.raises(DataError, match="not a package"):
            read(package / MANIFEST)
