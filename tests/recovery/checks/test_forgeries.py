"""Forged packages with a matching manifest, which only the other checks detect."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gogooku3.dataset.schema import Schema
from gogooku3.metrics.split_file import table_of
from gogooku3.recovery.verify import _RULES
from gogooku3.runtime.files import write_json

from .conftest import Delivery

WEIGHTS, INPUTS, PREDICTIONS = "model.safetensors", "golden/inputs.safetensors", "golden/predictions.safetensors"


class Trap:
    """Touches a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


def reordered(delivery: Delivery) -> None:
    schema = delivery.schema
    write_json(
        Schema(schema.features[::-1], schema.horizons, schema.neighbours).as_json(), delivery.package / "schema.json"
    )


FORGERIES: dict[str, tuple[Callable[[Delivery], object], set[str], str]] = {
    "another hidden size": (
        lambda d: d.edit_json("config.json", lambda config: config["backbone"].update(hidden_size=16)),
        {"shapes"},
        r"float32\[8.*\], the configuration gives float32\[16",
    ),
    "a size beyond all memory": (
        lambda d: d.edit_json("config.json", lambda config: config["backbone"].update(hidden_size=2**24)),
        {"shapes"},
        "does not match its configuration",
    ),
    "a size beyond all counting": (
        lambda d: d.edit_json("config.json", lambda config: config["backbone"].update(hidden_size=2**60)),
        {"shapes"},
        "no network can be built",
    ),
    "a slice that does not divide the window": (
        lambda d: d.edit_json("config.json", lambda config: config["adaptive_norm"].update(slice_length=3)),
        {"golden"},
        "",
    ),
    "another ABI": (
        lambda d: d.edit_json("config.json", lambda config: config.update(abi="1" * 64)),
        {"features"},
        "`config.json` gives ABI 1111",
    ),
    "an unknown key": (
        lambda d: d.edit_json("config.json", lambda config: config.update(layers=3)),
        {"configuration"},
        "layers",
    ),
    "NaN": (
        lambda d: d.edit_tensors(WEIGHTS, lambda tensors: tensors["head.bias"][0].fill_(torch.nan)),
        {"finite", "golden"},
        r"head\.bias \(1 of 2\)",
    ),
    "infinity": (
        lambda d: d.edit_tensors(WEIGHTS, lambda tensors: tensors["head.weight"].fill_(torch.inf)),
        {"finite", "golden"},
        r"head\.weight \(16 of 16\)",
    ),
    "a tensor lost": (
        lambda d: d.edit_tensors(WEIGHTS, lambda tensors: tensors.pop("head.bias")),
        {"shapes"},
        r"head\.bias is missing",
    ),
    "half a file": (
        lambda d: os.truncate(d.package / WEIGHTS, 5000),
        {"weights"},
        "not a valid safetensors file",
    ),
    "a pickle": (
        lambda d: (d.package / WEIGHTS).write_bytes(pickle.dumps(Trap(d.root / "sprung"))),
        {"weights"},
        "not a valid safetensors file",
    ),
    "other golden predictions": (
        lambda d: d.edit_tensors(PREDICTIONS, lambda tensors: tensors["scores"][0, 0].mul_(1.000001)),
        {"golden"},
        "must be bitwise identical",
    ),
    "golden predictions of another shape": (
        lambda d: d.edit_tensors(PREDICTIONS, lambda tensors: tensors.update(scores=torch.zeros(1, 1, 1))),
        {"golden"},
        r"scores has shape \[1, 1, 1\]",
    ),
    "golden neighbours that do not exist": (
        lambda d: d.edit_tensors(INPUTS, lambda tensors: tensors["neighbours"].fill_(999)),
        {"golden"},
        "neighbours are outside the",
    ),
    "features in another order": (
        lambda d: d.edit_json("schema.json", lambda schema: schema["features"].reverse()),
        {"schema"},
        "has the ABI",
    ),
    "features in another order with their own ABI": (
        reordered,
        {"features", "preprocess"},
        "`config.json` gives ABI",
    ),
    "preprocessing of other features": (
        lambda d: d.edit_json("preprocess.json", lambda content: content.update(abi="2" * 64)),
        {"preprocess"},
        "has ABI 2222",
    ),
    "preprocessing that divides by zero": (
        lambda d: d.edit_json("preprocess.json", lambda content: content["session"]["feature_5"].update(std=0.0)),
        {"preprocess"},
        r"feature_5 has mean 0\.0 and std 0\.0",
    ),
    "preprocessing that lost a feature": (
        lambda d: d.edit_json("preprocess.json", lambda content: content["session"].clear()),
        {"preprocess"},
        "feature_5 is not fitted",
    ),
    "another number than in the model card": (
        lambda d: d.edit_json("metrics.json", lambda content: table_of(content["test"])["sharpe"].update(value=9.5)),
        {"metrics"},
        r"the model card has sharpe 0\.1 on test, and `metrics\.json` has 9\.5",
    ),
    "metrics that are no table": (
        lambda d: (d.package / "metrics.json").write_text("[]"),
        {"metrics"},
        "is not a table",
    ),
    "an environment without numerics": (
        lambda d: d.edit_json("environment.json", lambda content: content.clear()),
        {"environment"},
        "does not name the numerics",
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forgery_is_found_without_and_with_its_lock_file(delivery: Delivery, forgery: str) -> None:
    forge, expected, message = FORGERIES[forgery]
    forge(delivery)
    delivery.rewrite_manifest()
    alone = delivery.verify_alone()
    assert alone.failed == expected
    assert any(re.search(message, alone[name].found) for name in expected)
    assert delivery.verify().failed >= expected | {"lock"}
    assert not (delivery.root / "sprung").exists(), "a pickle was read"


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths to every value of a JSON tree."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path, *(place for key, value in items for place in places(value, (*path, key)))]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["MANIFEST.json", "config.json", "environment.json", "preprocess.json", "schema.json"]),
    value=st.sampled_from([None, True, -1, 0, 3.5, "", "target_1", [], {}, [[]], {"a": 1}]),
    data=st.data(),
)
def test_no_value_in_a_file_ends_in_a_traceback(delivery: Delivery, name: str, value: Any, data: st.DataObject) -> None:
    path = delivery.package / name
    whole = path.read_bytes()

    def put(tree: Any) -> None:
        *parents, last = data.draw(st.sampled_from(places(tree)[1:]))
        for key in parents:
            tree = tree[key]
        tree[last] = value

    try:
        delivery.edit_json(name, put)
        if name != "MANIFEST.json":
            delivery.rewrite_manifest()
        report = delivery.verify()
    finally:
        path.write_bytes(whole)
        delivery.rewrite_manifest()
    assert "lock" in report.failed
    assert list(report.outcomes) == list(_RULES)
