"""Golden predictions outside the package's exact domain: compared with a tolerance, and labelled so."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, get_args

import pytest
import torch

from gogooku3.config.numerics import Precision
from gogooku3.model.probe import probe
from gogooku3.recovery.checks import golden
from gogooku3.recovery.checks.golden import TOLERANCE

from .conftest import NATIVE, Delivery


def elsewhere(delivery: Delivery, scale: float) -> None:
    """Simulates a package from another processor, with slightly different scores."""
    delivery.edit_json("environment.json", lambda content: content.update(exact_on="x86_64 ANOTHER"))
    delivery.edit_tensors("golden/predictions.safetensors", lambda tensors: tensors["scores"].mul_(scale))
    delivery.rewrite_manifest()


def test_scores_within_the_tolerance_are_noted_and_never_called_exact(delivery: Delivery) -> None:
    elsewhere(delivery, 1 + 1e-5)
    report = delivery.verify_alone()
    assert report.verdict.good
    assert report["golden"].outcome == "noted"
    assert report["golden"].found.startswith("NOT bitwise identical, because exact_on differs")
    assert "(0.0001 of the largest)" in report["golden"].found
    assert report["environment"].outcome == "noted"
    assert "exact_on x86_64 ANOTHER in the package" in report["environment"].found


def test_scores_beyond_the_tolerance_fail(delivery: Delivery) -> None:
    elsewhere(delivery, 1 + 2e-4)
    assert delivery.verify_alone().failed == {"golden"}


def test_scores_that_are_no_numbers_fail(delivery: Delivery, monkeypatch: pytest.MonkeyPatch) -> None:
    """NaN is within no tolerance."""
    elsewhere(delivery, 1 + 1e-5)
    monkeypatch.setattr(golden, "max_golden_difference", lambda *_: math.nan)
    assert delivery.verify_alone().failed == {"golden"}


@pytest.mark.parametrize("neighbour", [-2, "stocks"])
def test_neighbours_outside_the_stocks_are_a_finding_and_no_traceback(delivery: Delivery, neighbour: int | str) -> None:
    def point_elsewhere(tensors: dict[str, torch.Tensor]) -> None:
        tensors["neighbours"][0, 0, 0] = tensors["x"].shape[1] if neighbour == "stocks" else neighbour

    delivery.edit_tensors("golden/inputs.safetensors", point_elsewhere)
    delivery.rewrite_manifest()
    report = delivery.verify_alone()
    assert report.failed == {"golden"}
    assert "neighbours are outside the" in report["golden"].found


def test_identical_scores_outside_the_exact_domain_pass_with_a_note(delivery: Delivery) -> None:
    elsewhere(delivery, 1.0)
    found = delivery.verify_alone()["golden"]
    assert found.outcome == "passed"
    assert found.found.endswith("bitwise identical, although outside the package's exact domain")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_a_package_from_a_gpu_is_compared_on_the_cpu(delivery: Delivery) -> None:
    def from_gpu(content: dict[str, Any]) -> None:
        content["numerics"]["device"] = "cuda"
        content.update(exact_on="NVIDIA H200", compute_capability="9.0", probe="0" * 16)
        content["versions"].update(cuda="13.0", cudnn="91900", triton="3.6.0", driver="580.95.05")

    delivery.edit_json("environment.json", from_gpu)
    delivery.edit_tensors("golden/predictions.safetensors", lambda tensors: tensors["scores"].mul_(1 + 1e-5))
    delivery.rewrite_manifest()
    report = delivery.verify_alone()
    assert report.verdict.good
    found = report["environment"].found
    assert "numerics.device cuda in the package, cpu here (unknown)" in found
    assert "compute_capability 9.0 in the package, None here (unknown)" in found
    assert "versions.driver 580.95.05 in the package, None here (unknown)" in found
    assert report["golden"].outcome == "noted"
    scores = report["golden"].found
    assert scores.startswith("NOT bitwise identical, because numerics.device, exact_on, ")
    assert "versions.driver, " in scores
    assert "scores of the CPU (the package is from a GPU, none is here) differ by up to" in scores
    assert scores.endswith("(0.0001 of the largest)")
    delivery.edit_tensors("golden/predictions.safetensors", lambda tensors: tensors["scores"].mul_(1 + 2e-4))
    delivery.rewrite_manifest()
    assert delivery.verify_alone().failed == {"golden"}


def test_a_package_from_before_there_was_a_choice_of_precision_is_exact(delivery: Delivery) -> None:
    def older(content: dict[str, Any]) -> None:
        for name in ("precision", "shares", "reduction"):
            del content["numerics"][name]

    delivery.edit_json("environment.json", older)
    delivery.rewrite_manifest()
    report = delivery.verify_alone()
    assert report["environment"].outcome == report["golden"].outcome == "passed"


def test_golden_predictions_are_computed_in_the_precision_that_the_package_names(delivery: Delivery) -> None:
    def half(content: dict[str, Any]) -> None:
        content["precision"] = content["numerics"]["precision"] = "bf16"
        content["probe"] = probe(replace(NATIVE, precision="bf16"))

    delivery.edit_json("environment.json", half)
    delivery.rewrite_manifest()
    report = delivery.verify_alone()
    assert report["environment"].outcome == "passed"
    assert report.failed == {"golden"}
    assert "but must be bitwise identical in this domain" in report["golden"].found


def test_every_precision_has_a_tolerance() -> None:
    assert TOLERANCE.keys() == {*get_args(Precision)}


def test_a_library_too_old_fails_and_the_scores_are_skipped(
    delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery.edit_json("environment.json", lambda content: content["versions"].update(safetensors="9.9"))
    delivery.rewrite_manifest()
    monkeypatch.setattr("gogooku3.runtime.numerics.version", lambda name: "0.4.1")
    report = delivery.verify_alone()
    assert report.failed == {"environment"}
    assert "versions.safetensors 9.9 in the package, 0.4.1 here (breaking)" in report["environment"].found
    assert report["golden"].found == "`environment` failed"
