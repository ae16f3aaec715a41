"""The numerics probe: what it depends on, what it does not, and its warnings."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from gogooku3.config.numerics import Numerics
from gogooku3.errors import MachineError
from gogooku3.model import activations, probe
from gogooku3.model.network import Architecture, Network

ROOT = Path(__file__).parents[2]
NATIVE = Numerics("cpu", 2, "native", "float32", 1, 1, "fixed")


@pytest.fixture(autouse=True)
def _anew() -> None:
    probe.probe.cache_clear()


def measured(*arguments: str, before: tuple[str, ...] = (), **variables: str) -> dict[str, Any]:
    """The row that `benchmarks/probe.py` prints in a process of its own."""
    done = subprocess.run(
        [*before, sys.executable, str(ROOT / "benchmarks/probe.py"), *arguments],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    row: dict[str, Any] = json.loads(done.stdout)
    return row


@pytest.mark.parametrize(
    "threads", ["2", pytest.param("1", marks=pytest.mark.slow), pytest.param("4", marks=pytest.mark.slow)]
)
def test_the_probe_of_this_machine_matches_the_known_one(threads: str) -> None:
    """Fails on a machine outside the domain, and after a change of network or libraries: see `gogooku3.model.probe`."""
    rows = json.loads((ROOT / "src/gogooku3/known_probes.json").read_text())
    row = measured("--threads", threads)
    if not any(all(known[name] == row[name] for name in ("exact_on", "torch", "numpy")) for known in rows):
        pytest.skip(f"nothing is known of {row['exact_on']} with torch {row['torch']} and NumPy {row['numpy']}")
    assert row in rows


def test_each_row_is_known_once() -> None:
    rows = json.loads((ROOT / "src/gogooku3/known_probes.json").read_text())
    places = [json.dumps({name: value for name, value in row.items() if name != "probe"}) for row in rows]
    assert len(set(places)) == len(places)
    assert len({row["probe"] for row in rows}) == len(rows)


@pytest.mark.slow
def test_no_core_and_no_variable_changes_it() -> None:
    expected = measured()
    assert measured(before=("taskset", "-c", "0")) == expected
    disturbed = {
        "OMP_THREAD_LIMIT": "1",
        "OMP_MAX_ACTIVE_LEVELS": "0",
        "OMP_NUM_THREADS": "7",
        "NPY_ENABLE_CPU_FEATURES": "AVX512F",
        "ATEN_CPU_CAPABILITY": "default",
        "MKL_CBWR": "AVX2",
        "OPENBLAS_CORETYPE": "Prescott",
        "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1",
    }
    assert measured(**disturbed) == expected


@pytest.mark.slow
def test_threads_and_instruction_set_change_it() -> None:
    values = {measured(*arguments)["probe"] for arguments in ((), ("--threads", "1"), ("--instruction-set", "native"))}
    assert len(values) == 3


def test_it_is_repeatable_and_leaves_random_numbers_as_they_were() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = probe.probe(NATIVE)
    assert torch.equal(torch.rand(3), expected)
    probe.probe.cache_clear()
    with torch.no_grad():
        assert probe.probe(NATIVE) == first


def test_its_networks_have_every_block(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Architecture] = []
    monkeypatch.setattr(probe, "Network", lambda of, seed: made.append(of) or Network(of, seed))
    probe.probe(NATIVE)
    assert made
    assert [name for architecture in made for name, block in vars(architecture).items() if block is None] == []


def test_one_rounding_of_one_block_changes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = probe.probe(NATIVE)
    probe.probe.cache_clear()
    sigmoid = activations.sigmoid
    upwards: Callable[[torch.Tensor], torch.Tensor] = lambda x: torch.nextafter(sigmoid(x), torch.tensor(2.0))  # noqa: E731
    monkeypatch.setattr(activations, "sigmoid", upwards)
    assert probe.probe(NATIVE) != honest


def test_a_probe_mismatch_warns_and_with_strict_raises(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(probe, "known_value", lambda numerics: "0123456789abcdef")
    with caplog.at_level(logging.WARNING):
        probe.prepare(NATIVE)
    assert "warning: this machine's results are not bitwise those of its domain" in caplog.text
    assert "expected 0123456789abcdef" in caplog.text
    with pytest.raises(MachineError, match="expected 0123456789abcdef"):
        probe.prepare(replace(NATIVE, strict=True))


def test_an_unknown_domain_gives_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert probe.known_value(NATIVE) is None
    probe.prepare(replace(NATIVE, strict=True))
    assert not caplog.text
