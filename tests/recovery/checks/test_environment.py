"""The environment compared entry by entry, and the report of legacy variables."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from packaging.requirements import Requirement

from gogooku3.config import Params
from gogooku3.recovery.checks.environment import OLDEST, compare, usable
from gogooku3.recovery.checks.legacy_env import legacy_option
from gogooku3.runtime.numerics import software

from .conftest import Delivery

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("name", "package", "here", "standing"),
    [
        ("versions.torch", "2.13.0+cpu", "2.13.0+cpu", "exact"),
        ("versions.torch", "2.10.0", "2.10.0", "exact"),
        ("versions.torch", "2.13.0+cpu", "2.13.0+cu130", "unknown"),
        ("versions.torch", "2.13.0", "2.13.1", "unknown"),
        ("versions.torch", "2.13.0", "2.11.0", "unknown"),
        ("versions.torch", "2.13.0", "3.0.0", "unknown"),
        ("versions.torch", "2.13.0", "2.10.1+cpu", "breaking"),
        ("versions.torch", "2.13.0", "2.9.0", "breaking"),
        ("versions.numpy", "2.4.6", "2.0.2", "breaking"),
        ("versions.safetensors", "0.8.0", "0.4.5", "breaking"),
        ("exact_on", "x86-64-v3", "aarch64 DEFAULT", "unknown"),
        ("numerics.device", "cuda", "cpu", "unknown"),
        ("numerics.precision", "bf16", "float32", "unknown"),
    ],
)
def test_an_entry_is_exact_unknown_or_breaking(name: str, package: str, here: str, standing: str) -> None:
    (entry,) = compare({name: package}, {name: here})
    assert entry.standing == standing


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
@pytest.mark.parametrize(("precision", "here"), [("float32", "float32"), ("tf32", "float32"), ("bf16", "bf16")])
def test_a_package_of_a_gpu_is_checked_on_a_cpu_without_tf32(demo: Params, precision: str, here: str) -> None:
    numerics = usable(replace(demo.numerics, device="cuda", precision=precision))
    assert (numerics.device, numerics.precision) == ("cpu", here)


def test_an_entry_that_one_side_lacks_is_unknown() -> None:
    lost, new = compare({"versions.lost": "1"}, {"versions.new": "2"})
    assert (lost.package, lost.here, lost.standing) == ("1", None, "unknown")
    assert (new.package, new.here, new.standing) == (None, "2", "unknown")


def test_a_package_from_before_the_probe_says_so(delivery: Delivery) -> None:
    delivery.edit_json("environment.json", lambda content: content.pop("probe"))
    delivery.rewrite_manifest()
    report = delivery.verify_alone()
    assert report.verdict.good
    assert report["environment"].outcome == "noted"
    assert "was made before version 0.2.0" in report["environment"].found
    assert "check out the package's commit" in report["environment"].hint


def test_if_more_than_the_probe_differs_the_probe_is_not_the_cause(delivery: Delivery) -> None:
    delivery.edit_json("environment.json", lambda content: content.update(probe="0" * 16, exact_on="NVIDIA H200"))
    delivery.rewrite_manifest()
    found = delivery.verify_alone()["environment"].found
    assert found.endswith("here (unknown)")


def test_a_package_with_another_probe_is_distinguished_from_a_machine_outside_the_domain(
    delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery.edit_json("environment.json", lambda content: content.update(probe="0123456789abcdef"))
    delivery.rewrite_manifest()
    here = delivery.verify_alone()["environment"]
    assert here.outcome == "noted"
    assert "probe 0123456789abcdef in the package" in here.found
    assert "no known probe value for this domain" in here.found
    monkeypatch.setattr("gogooku3.recovery.checks.environment.known_value", lambda numerics: "the value here")
    found = delivery.verify_alone()["environment"].found
    assert "made by another version of the code, or on a machine outside the domain" in found
    monkeypatch.setattr("gogooku3.model.probe.known_value", lambda numerics: "0123456789abcdef")
    assert "this machine's results are not bitwise those of its domain" in delivery.verify_alone()["environment"].found


def test_python_and_the_c_library_are_shown_as_neutral(delivery: Delivery) -> None:
    finding = delivery.verify_alone()["environment"]
    assert finding.outcome == "passed"
    shown = {detail["entry"]: detail for detail in finding.details}
    assert shown["Python"]["standing"] == "neutral"
    assert {entry for entry, detail in shown.items() if detail["standing"] == "neutral"} == set(software())


def test_the_oldest_versions_are_those_of_the_project_file() -> None:
    required = map(Requirement, tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"])
    bounds = {
        f"versions.{requirement.name}": bound.version
        for requirement in required
        for bound in requirement.specifier
        if bound.operator == ">="
    }
    assert {name: bounds[name] for name in OLDEST} == OLDEST


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_a_package_from_a_gpu_is_scored_on_the_cpu_without_one(demo: Params) -> None:
    numerics = demo.numerics
    assert usable(replace(numerics, device="cuda")) == numerics


@pytest.mark.parametrize(
    ("capability", "standing"), [pytest.param("avx2", "exact", marks=pytest.mark.slow), ("default", "unknown")]
)
def test_portable_is_checked_by_the_running_kernels_not_by_the_parameter(capability: str, standing: str) -> None:
    script = (
        "from pathlib import Path\n"
        "from gogooku3 import config\n"
        "from gogooku3.runtime.numerics import environment\n"
        "from gogooku3.recovery.checks.environment import compare\n"
        f"here = environment(config.load(Path({str(ROOT / 'params.yaml')!r})).numerics)['exact_on']\n"
        "print(compare({'exact_on': 'x86-64-v3'}, {'exact_on': here})[0].standing)\n"
    )
    environment = os.environ | {"ATEN_CPU_CAPABILITY": capability}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == standing


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SHARPE_WEIGHT", "loss"),
        ("RANKIC_WEIGHT", "loss"),
        ("CS_IC_WEIGHT", "loss"),
        ("PHASE_LOSS_WEIGHTS", "loss"),
        ("HORIZON_WEIGHT_5D", "loss"),
        ("HIDDEN_SIZE", "model"),
        ("MODEL_HIDDEN_SIZE", "model"),
        ("GRAPH_K", "model"),
        ("BATCH_SIZE", "training"),
        ("SAFE_MODE_BATCH_SIZE", "training"),
        ("LEARNING_RATE", "training"),
        ("MAX_EPOCHS", "training"),
        ("EARLY_STOP_PATIENCE", "training"),
        ("FEATURE_CLIP_VALUE", "data"),
        ("USE_RANKIC", "switch"),
        ("ENABLE_QUANTILES", "switch"),
        ("BYPASS_ADAPTIVE_NORM", "switch"),
    ],
)
def test_a_legacy_option_is_recognised(name: str, kind: str) -> None:
    assert legacy_option(name) == kind


@pytest.mark.parametrize(
    "name",
    [
        "PATH", "HOME", "LANG", "TZ", "PYTHONHASHSEED", "OMP_NUM_THREADS", "MKL_CBWR", "ATEN_CPU_CAPABILITY",
        "CUDA_VISIBLE_DEVICES", "GOOGLE_APPLICATION_CREDENTIALS", "FORCE_COLOR", "USER", "hidden_size", "_WEIGHT",
    ],
)  # fmt: skip
def test_a_machine_s_variables_are_not_taken_for_legacy_options(name: str) -> None:
    assert legacy_option(name) is None
