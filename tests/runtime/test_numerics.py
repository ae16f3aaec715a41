"""Pinned numerics: random keys, threads, instruction set."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from gogooku3.config import Params
from gogooku3.errors import MachineError
from gogooku3.runtime import numerics
from gogooku3.runtime.numerics import environment, generator, key, pin, prepare_torch, without_tf32

ROOT = Path(__file__).parents[2]

VERSIONS = {"torch", "numpy", "safetensors"}

SCRIPT = """
import json, sys
from gogooku3.runtime import numerics
from gogooku3.config.numerics import Numerics
wanted = Numerics("cpu", 2, sys.argv[1], "float32", 1, 1, "fixed")
numerics.pin(wanted)
import numpy, torch
numerics.prepare_torch(wanted)
from numpy._core._multiarray_umath import __cpu_features__ as features
from threadpoolctl import threadpool_info
blas = {library["architecture"] for library in threadpool_info() if library["internal_api"] == "openblas"}
kernels = torch.backends.cpu.get_cpu_capability(), features.get("X86_V4", False), *blas
print(json.dumps([torch.get_num_threads(), *kernels, numerics.environment(wanted)]))
"""


def pinned(instruction_set: str, *before: str) -> list[Any]:
    """Threads, kernels of torch and NumPy, and environment of a new process that starts with other settings."""
    done = subprocess.run(
        [*before, sys.executable, "-W", "error", "-c", SCRIPT, instruction_set],
        env={**os.environ, "OMP_NUM_THREADS": "1", "ATEN_CPU_CAPABILITY": "default", "OPENBLAS_CORETYPE": "Prescott"},
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[Any] = json.loads(done.stdout)
    return found


def processor(entry: str) -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(line.split(": ")[1] for line in lines if line.startswith(entry))


@pytest.mark.parametrize(
    ("instruction_set", "cores", "exact_on"),
    [
        ("portable", ("taskset", "-c", "0"), "x86-64-v3"),
        pytest.param("portable", (), "x86-64-v3", marks=pytest.mark.slow),
        pytest.param("avx2", (), f"x86-64-v3 {processor('vendor_id')}", marks=pytest.mark.slow),
    ],
)
def test_threads_and_instruction_set_are_those_of_the_parameters_whatever_the_machine_has(
    instruction_set: str, cores: tuple[str, ...], exact_on: str
) -> None:
    *found, domain = pinned(instruction_set, *cores)
    assert found == [2, "AVX2", False, "Haswell"]
    assert domain["exact_on"] == exact_on


def test_the_buffers_of_cublas_have_one_size(monkeypatch: pytest.MonkeyPatch, demo: Params) -> None:
    """As cuDNN's LSTM needs; deterministic torch refuses matrix products with another value than these two."""
    monkeypatch.setattr(os, "environ", dict(os.environ))
    pin(demo.numerics)
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] in {":16:8", ":4096:8"}


def test_every_variable_that_can_reach_arithmetic_is_cleared(monkeypatch: pytest.MonkeyPatch, demo: Params) -> None:
    families = (
        "OMP_",
        "GOMP_",
        "KMP_",
        "MKL_",
        "OPENBLAS_",
        "NPY_",
        "ATEN_",
        "TORCH_",
        "PYTORCH_",
        "CUBLAS_",
        "CUDNN_",
        "TRITON_",
    )
    for family in families:
        monkeypatch.setenv(f"{family}OF_TOMORROW", "1")
    for name in ("OMP_THREAD_LIMIT", "OMP_MAX_ACTIVE_LEVELS", "NVIDIA_TF32_OVERRIDE", "NPY_ENABLE_CPU_FEATURES"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("TORCH_NCCL_ASYNC_ERROR_HANDLING", "1")
    monkeypatch.setenv("TRITON_CACHE_DIR", "/tmp")
    with monkeypatch.context() as patch:
        patch.setattr(os, "environ", dict(os.environ))
        pin(demo.numerics)
        left = {name for name in os.environ if name.startswith((*families, "NVIDIA_TF32"))}
    assert left == {
        *("OMP_NUM_THREADS", "OMP_DYNAMIC", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "MKL_NUM_THREADS", "MKL_DYNAMIC"),
        *("MKL_CBWR", "OPENBLAS_NUM_THREADS", "OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES", "ATEN_CPU_CAPABILITY"),
        *("CUBLAS_WORKSPACE_CONFIG", "TORCH_NCCL_ASYNC_ERROR_HANDLING", "TRITON_CACHE_DIR"),
    }


def test_instruction_sets_of_x86_are_not_set_on_arm(monkeypatch: pytest.MonkeyPatch, demo: Params) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    pin(demo.numerics)
    assert not {"ATEN_CPU_CAPABILITY", "MKL_CBWR", "NPY_DISABLE_CPU_FEATURES", "OPENBLAS_CORETYPE"} & os.environ.keys()
    assert os.environ["OMP_NUM_THREADS"] == str(demo.numerics.threads)


@pytest.mark.parametrize(
    "variable", ["OMP_THREAD_LIMIT=1", pytest.param("OMP_MAX_ACTIVE_LEVELS=0", marks=pytest.mark.slow)]
)
def test_a_region_with_fewer_threads_than_asked_for_is_refused(variable: str) -> None:
    """Read by libgomp when it loads, before `pin` can remove it."""
    code = (
        "import torch; from gogooku3 import config; from gogooku3.runtime.numerics import prepare_torch;"
        " prepare_torch(config.load().numerics)"
    )
    name, _, value = variable.partition("=")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, name: value}, capture_output=True, text=True
    )
    assert "operations get 1 threads, but `numerics.threads` is 2" in done.stderr


@pytest.mark.slow
def test_native_is_exact_on_one_model_of_processor_and_its_kernels() -> None:
    _, kernels, *_, domain = pinned("native")
    assert kernels != "DEFAULT"  # as requested by the environment
    assert domain["exact_on"] == f"{processor('model name')} {kernels}"


def test_the_domain_names_parameters_precision_flags_and_versions_and_no_place_or_time() -> None:
    domain = pinned("portable")[-1]
    assert domain["numerics"] == {
        "device": "cpu",
        "threads": 2,
        "instruction_set": "portable",
        "precision": "float32",
        "shares": 1,
        "reduction": "fixed",
    }
    assert domain["precision"] == "float32"
    assert domain["flags"] == {
        "deterministic_algorithms": True,
        "mkldnn": False,
        "tf32": False,
        "cudnn_benchmark": False,
    }
    assert domain.keys() == {"numerics", "exact_on", "precision", "flags", "versions"}
    assert domain["versions"].keys() == VERSIONS
    assert domain["versions"]["torch"] == torch.__version__
    assert domain == pinned("portable", "taskset", "-c", "0")[-1]


def test_the_number_of_processes_is_part_of_the_domain_where_the_order_of_sums_depends_on_it(demo: Params) -> None:
    fixed, fast = (replace(demo.numerics, processes=2, shares=4, reduction=each) for each in ("fixed", "fast"))
    assert environment(fixed) == environment(replace(fixed, processes=4))
    assert environment(fast) != environment(replace(fast, processes=4))
    assert environment(fixed) != environment(replace(fixed, shares=2))


def test_another_precision_is_another_domain(demo: Params) -> None:
    found = environment(replace(demo.numerics, precision="bf16"))
    assert found["precision"] == found["numerics"]["precision"] == "bf16"


def test_tf32_is_on_in_its_own_precision_alone_and_is_a_domain_of_its_own(demo: Params) -> None:
    domains = {}
    for precision in ("tf32", "float32", "bf16"):  # the switch goes off again
        numerics = replace(demo.numerics, precision=precision)
        prepare_torch(numerics)
        assert torch.backends.cuda.matmul.allow_tf32 == (precision == "tf32")
        assert not torch.backends.cudnn.allow_tf32
        domains[precision] = environment(numerics)
    assert [domain["flags"]["tf32"] for domain in domains.values()] == [True, False, False]
    assert len({str(domain) for domain in domains.values()}) == 3
    prepare_torch(demo.numerics)


def test_tf32_can_be_off_for_a_while(demo: Params) -> None:
    prepare_torch(replace(demo.numerics, precision="tf32"))
    with without_tf32():
        assert not torch.backends.cuda.matmul.allow_tf32
    assert torch.backends.cuda.matmul.allow_tf32
    prepare_torch(demo.numerics)
    with without_tf32():
        pass
    assert not torch.backends.cuda.matmul.allow_tf32


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_tf32_rounds_the_products_of_a_gpu_and_float32_does_not(demo: Params) -> None:
    left, right = torch.randn(2, 256, 256, device="cuda")
    exact, error = left.double() @ right.double(), {}
    for precision in ("tf32", "float32"):
        prepare_torch(replace(demo.numerics, precision=precision, device="cuda"))
        error[precision] = float((left @ right - exact).abs().max())
    prepare_torch(demo.numerics)
    assert error["float32"] < 1e-4 < error["tf32"] < 0.1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_on_a_gpu_the_domain_is_its_model(demo: Params) -> None:
    domain = environment(replace(demo.numerics, device="cuda"))
    assert domain["exact_on"] == torch.cuda.get_device_name()
    assert domain["compute_capability"] == ".".join(map(str, torch.cuda.get_device_capability()))
    assert domain["versions"]["cuda"] == torch.version.cuda
    assert domain["versions"].keys() == {*VERSIONS, "cuda", "cudnn", "triton", "driver"}
    assert re.fullmatch(r"[0-9.]+", domain["versions"]["driver"])


@pytest.mark.parametrize("runner", ["gogooku3.cli", "gogooku3.stages.__main__", "gogooku3.stages.worker"])
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
    code = "from gogooku3.runtime.numerics import generator; print(generator(1, 'x').integers(1 << 60))"
    drawn = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True
        ).stdout.strip()
        for seed in ("0", "1", "random")
    }
    assert drawn == {str(generator(1, "x").integers(1 << 60))}


@pytest.mark.parametrize("missing", ["compiler", "header", None])
def test_triton_needs_a_compiler_and_headers(
    missing: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(numerics, "find_spec", lambda _: True)
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(numerics.shutil, "which", lambda _: None if missing == "compiler" else "/usr/bin/gcc")
    if missing != "header":
        (tmp_path / "Python.h").touch()
    if missing is None:
        numerics._require_compiler(tmp_path)
        return
    with pytest.raises(MachineError, match="none found" if missing == "compiler" else "missing") as raised:
        numerics._require_compiler(tmp_path)
    assert "apt-get install gcc python3-dev" in raised.value.hint
