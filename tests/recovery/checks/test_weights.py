"""Architecture compared with weights: the finding names the parameter and its value on each side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from .conftest import Delivery

ROOT = Path(__file__).parents[3]


def put(tree: dict[str, Any], name: str, value: Any) -> None:
    *path, last = name.split(".")
    for part in path:
        tree = tree[part]
    tree[last] = value


@pytest.mark.parametrize(
    ("parameter", "asked", "built"),
    [
        ("features", 7, 6),
        ("backbone.hidden_size", 16, 8),
        ("backbone.heads", 4, 2),
        ("backbone.window", 12, 8),
        ("adaptive_norm.slice_length", 2, 4),
        ("graph.heads", 4, 2),
    ],
)
def test_an_edited_configuration_is_reported_by_parameter(
    delivery: Delivery, parameter: str, asked: int, built: int
) -> None:
    delivery.edit_json("config.json", lambda content: put(content, parameter, asked))
    finding = delivery.verify_alone()["shapes"]
    assert finding.outcome == "failed"
    assert finding.found.startswith(f"`{parameter}` is {asked} in `config.json`, {built} in the weights; ")
    assert [detail["parameter"] for detail in finding.details] == [parameter]


def test_a_block_that_is_switched_off_is_reported(delivery: Delivery) -> None:
    delivery.edit_json("config.json", lambda content: put(content, "graph", None))
    assert "`graph` is off in `config.json`, on in the weights" in delivery.verify_alone()["shapes"].found


def test_another_number_of_horizons_is_reported(delivery: Delivery) -> None:
    delivery.edit_json("config.json", lambda content: put(content, "horizons", [1, 5, 10]))
    assert "`horizons` is 3 in `config.json`, 2 in the weights" in delivery.verify_alone()["shapes"].found


def test_a_configuration_that_builds_no_network_is_reported(delivery: Delivery) -> None:
    delivery.edit_json("config.json", lambda content: put(content, "backbone.window", 10))
    assert "`backbone.window` is 10 in `config.json`, 8 in the weights" in delivery.verify_alone()["shapes"].found


@pytest.mark.parametrize("features", ["core", "core99"], ids=["of today", "of version 0.1.0"])
def test_params_yaml_next_to_the_lock_file_is_compared_too(delivery: Delivery, features: str) -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["dataset"]["features"] = features
    (delivery.root / "params.yaml").write_text(yaml.safe_dump(params))
    delivery.edit_json("config.json", lambda content: put(content, "backbone.window", 12))
    found = delivery.verify()["shapes"].found
    assert "`backbone.window` is 12 in `config.json`, 8 in the weights, 16 in `params.yaml`" in found


def test_a_tensor_that_no_parameter_explains_is_named(delivery: Delivery) -> None:
    delivery.edit_tensors("model.safetensors", lambda tensors: tensors.update({"head.bias": torch.zeros(9)}))
    finding = delivery.verify_alone()["shapes"]
    assert (finding.outcome, finding.details) == ("failed", ())
    assert "head.bias is float32[9]" in finding.found
