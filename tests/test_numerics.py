"""Where the bits come from: keys, threads, instruction set."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from gogooku3.config import Params
from gogooku3.errors import MachineError
from gogooku3.numerics import environment, generator, key, prepare_torch

SCRIPT = """
from pathlib import Path
from gogooku3 import config, numerics
numerics.pin(config.load(Path("params.yaml")).numerics)
import numpy, torch
numerics.prepare_torch(config.load(Path("params.yaml")).numerics)
from numpy._core._multiarray_umath import __cpu_features__ as features
print(torch.get_num_threads(), torch.backends.cpu.get_cpu_capability(), features.get("X86_V4", False))
"""


@pytest.mark.parametrize("cores", [(), ("taskset", "-c", "0")])
def test_threads_and_instruction_set_are_those_of_the_parameters_whatever_the_machine_has(
    cores: tuple[str, ...], request: pytest.FixtureRequest
) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ATEN_CPU_CAPABILITY": "default"}
    done = subprocess.run(
        [*cores, sys.executable, "-W", "error", "-c", SCRIPT],
        cwd=request.config.rootpath,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["2", "AVX2", "False"]


@pytest.mark.parametrize("runner", ["gogooku3.cli", "gogooku3.stages.__main__"])
def test_what_is_pinned_is_loaded_after_the_pinning(runner: str) -> None:
    code = f"import sys, {runner}; print([name for name in ('numpy', 'torch') if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert loaded.stdout.strip() == "[]", loaded.stderr


def test_a_device_that_is_not_here_is_refused(demo: Params) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(MachineError, match=r"`numerics.device` is cuda"):
        prepare_torch(replace(demo.numerics, device="cuda"))


def test_a_key_depends_on_every_part_and_its_type() -> None:
    assert len({key("a", 1), key("a", "1"), key("a1"), key(1, "a"), key("a", 1, "")}) == 5
    assert all(0 <= key(i) < 2**63 for i in range(100))


def test_a_generator_is_the_same_in_every_process() -> None:
    code = "from gogooku3.numerics import generator; print(generator(1, 'x').integers(1 << 60))"
    drawn = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True
        ).stdout.strip()
        for seed in ("0", "1", "random")
    }
    assert drawn == {str(generator(1, "x").integers(1 << 60))}


def test_the_environment_names_what_decides_the_bits_and_no_place_or_time(demo: Params) -> None:
    found = environment(demo.numerics)
    assert found["exact_on"] == "x86-64-v3"
    assert found["numerics"] == {"device": "cpu", "threads": 2, "instruction_set": "portable"}
    assert found["versions"]["torch"] == torch.__version__
    assert found == environment(demo.numerics)
