"""Pins the numerics for bitwise reproducible results: seeds, threads, instruction set, device, determinism flags.

Domain of reproducibility: the same parameters give the same bytes on the same device model, independent of the number
of cores. On a CPU with `instruction_set: portable` the domain is all x86-64-v3 processors (AVX2 and FMA) of any
vendor; with `avx2` those of one vendor; with `native` one processor model. `environment()` records the domain. With
`reduction: fixed` the world size (number of training processes) is not part of it; with `fast` it is. Another
precision is another domain.

The libraries read most of these settings once, when they load: call `pin` before NumPy or torch is imported.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import re
import shutil
import sysconfig
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gogooku3.config.numerics import Numerics
from gogooku3.errors import MachineError
from gogooku3.runtime import machine

if TYPE_CHECKING:
    import numpy as np
    import torch

# NumPy's names for the dispatched kernels beyond x86-64-v3; names that the processor does not have are ignored.
_BEYOND_AVX2 = "X86_V4 AVX512_ICL AVX512_SPR"

_AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_CBWR": "AVX2",
    "NPY_DISABLE_CPU_FEATURES": _BEYOND_AVX2,
    # OpenBLAS, behind NumPy and SciPy, selects kernels by processor model.
    "OPENBLAS_CORETYPE": "Haswell",
}

_INSTRUCTION_SETS = {
    "native": {},
    "avx2": _AVX2,
    # MKL's AVX2 branch differs between vendors; its compatible branch does not.
    "portable": _AVX2 | {"MKL_CBWR": "COMPATIBLE"},
}


_FAMILIES = (
    *("ATEN_", "BLIS_", "DNNL_", "GOMP_", "GOTO_", "KMP_", "MKL_", "MKLDNN_", "NPY_", "OMP_", "ONEDNN_", "OPENBLAS_"),
    *("CUBLAS_", "CUBLASLT_", "CUDA_DISABLE_PTX", "CUDA_FORCE_", "CUDNN_", "DISABLE_ADDMM_", "NVIDIA_TF32_"),
    *("PYTORCH_", "TORCH_", "TRITON_"),
)
"""Prefixes of environment variables that configure the numerical libraries."""

_HARMLESS = (
    *("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "TORCH_CPP_LOG_LEVEL", "TORCH_LOGS", "TORCH_NCCL_"),
    *("TRITON_CACHE_DIR", "TRITON_HOME"),
)
"""Prefixes of variables among them that only affect memory allocation, logging, error handling or folders."""


def pin(numerics: Numerics) -> None:
    """Fixes threads and instruction set for this process and its children, overriding the environment.

    All variables of the numerical libraries are removed first, by prefix, so that unknown ones are removed too.
    Variables of the system's loader (LD_PRELOAD, GLIBC_TUNABLES) cannot be removed; the probe detects their effect.
    """
    for name in [name for name in os.environ if name.startswith(_FAMILIES) and not name.startswith(_HARMLESS)]:
        del os.environ[name]
    threads = str(numerics.threads)
    settings = {
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        # The libraries must not use fewer threads on fewer cores: the split of a parallel sum would change.
        "OMP_DYNAMIC": "FALSE",
        "MKL_DYNAMIC": "FALSE",
        # Threads sleep at a barrier: spinning for a thread that has no core makes a step several times slower. A short
        # spin comes first because the next parallel region mostly starts within it: 1.5 times as fast.
        "OMP_WAIT_POLICY": "PASSIVE",
        "GOMP_SPINCOUNT": "1000",
        # cuBLAS, and cuDNN's LSTM that the network has on a GPU, are deterministic if cuBLAS has buffers of one size:
        # cuDNN 8's release notes (RNN, limitations) give `:16:8` and `:4096:2` as examples, which torch's note on
        # `nn.LSTM` repeats. `torch.use_deterministic_algorithms` accepts only `:16:8` and `:4096:8`, both of one size;
        # the first "may limit overall performance" (cuBLAS, results reproducibility).
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    }
    # The names are those of x86-64 kernels: other processors have none of them.
    x86_64 = platform.machine() == "x86_64"
    os.environ.update(settings | (_INSTRUCTION_SETS[numerics.instruction_set] if x86_64 else {}))


def prepare_torch(numerics: Numerics) -> torch.device:
    """Makes torch deterministic and returns the device of `numerics.device`.

    Raises:
        MachineError: the device is not available, or operations do not get `numerics.threads` threads.
    """
    import torch

    torch.set_num_threads(numerics.threads)
    _require_threads(numerics.threads)
    torch.use_deterministic_algorithms(True)
    # Filling uninitialised memory only helps debugging, and takes a seventh of a step's time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.mkldnn.enabled = False  # type: ignore[assignment]
    torch.backends.cuda.matmul.allow_tf32 = numerics.precision == "tf32"
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False
    if numerics.device == "cuda" and not torch.cuda.is_available():
        raise MachineError(
            "`numerics.device` is cuda, but torch finds no CUDA device on this machine",
            hint="run on a GPU machine, or on the CPU: `dvc exp run -S numerics.device=cpu"
            " -S numerics.precision=float32`",
        )
    if numerics.device == "cuda":
        _require_compiler()
    return torch.device("cuda", torch.cuda.current_device()) if numerics.device == "cuda" else torch.device("cpu")


def _require_compiler(headers: Path | None = None) -> None:
    """Raises `MachineError` if Triton is installed without a C compiler or Python's headers: it builds a launcher for
    its kernels on first use.

    Args:
        headers: folder of Python's headers; by default this Python's.
    """
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")
    header = (headers or Path(sysconfig.get_path("include"))) / "Python.h"
    if find_spec("triton") and not (compiler and header.exists()):
        raise MachineError(
            f"Triton needs a C compiler ({compiler or 'none found'}) and `{header}`"
            f" ({'found' if header.exists() else 'missing'}) to launch its kernels",
            hint="install them (`apt-get install gcc python3-dev`), or `pip uninstall triton`: torch then computes the"
            " variable selection, with other rounding",
        )


@contextmanager
def without_tf32() -> Iterator[None]:
    """Context manager: CUDA matrix products of float32 are IEEE float32 in every precision."""
    import torch

    allowed = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = allowed


def _require_threads(wanted: int) -> None:
    """Raises `MachineError` if a parallel region has another number of threads than `numerics.threads`.

    The split of a parallel sum depends on it. `torch.get_num_threads()` returns the requested number, not the actual
    one, so the threads of a region of torch's OpenMP library are counted, if it can be called from here.
    """
    actual = _count_threads()
    if actual is not None and actual != wanted:
        raise MachineError(
            f"operations get {actual} threads, but `numerics.threads` is {wanted}: sums would have other bits",
            hint="run it in an environment without OMP_THREAD_LIMIT and OMP_MAX_ACTIVE_LEVELS, and load no library that"
            " sets them before",
        )


def _count_threads() -> int | None:
    """Number of threads of a parallel region of torch's OpenMP library; None if the library cannot be called."""
    loaded = set(re.findall(r"(/\S.*/torch(?:/lib|\.libs)/libgomp[^/\n]*)$", machine.mapped_files(), re.MULTILINE))
    if len(loaded) != 1:
        return None
    entered: list[int] = []
    body = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: entered.append(threading.get_ident()))
    ctypes.CDLL(loaded.pop()).GOMP_parallel(body, None, 0, 0)
    return len(set(entered))


def key(*parts: str | int) -> int:
    """Random seed: a 64-bit key from names and counters, the same in every process; the only source of randomness."""
    text = "\0".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def generator(*parts: str | int) -> np.random.Generator:
    """NumPy's counter-based random generator (Philox), seeded by `key` of names and counters."""
    import numpy as np

    return np.random.Generator(np.random.Philox(key=key(*parts)))


def result_parameters(numerics: Numerics) -> dict[str, Any]:
    """The numerics parameters that results depend on; without the world size if the order of reductions is fixed."""
    named = asdict(numerics)
    del named["strict"]
    if numerics.reduction == "fixed":
        del named["processes"]
    return named


def environment(numerics: Numerics) -> dict[str, Any]:
    """The domain in which results are bitwise reproducible: parameters, device model, precision, torch's flags after
    `prepare_torch`, library versions; no host names or timestamps."""
    import torch

    versions = {"torch": torch.__version__} | {name: version(name) for name in ("numpy", "safetensors")}
    device: dict[str, Any] = {"exact_on": _exact_on(numerics)}
    if numerics.device == "cuda":
        versions |= _gpu_versions()
        device["compute_capability"] = ".".join(map(str, torch.cuda.get_device_capability()))
    return {
        "numerics": result_parameters(numerics),
        **device,
        "precision": numerics.precision,
        "flags": {
            "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
            "mkldnn": bool(torch.backends.mkldnn.enabled),
            "tf32": torch.backends.cuda.matmul.allow_tf32 or torch.backends.cudnn.allow_tf32,
            "cudnn_benchmark": torch.backends.cudnn.benchmark,
        },
        "versions": versions,
    }


def _gpu_versions() -> dict[str, str]:
    """Versions of what computes on a GPU; the driver compiles kernels that a library has for no GPU of this kind."""
    import torch

    return {
        "cuda": str(torch.version.cuda),
        "cudnn": str(torch.backends.cudnn.version()),  # type: ignore[no-untyped-call]
        "triton": _triton(),
        "driver": machine.nvidia_driver() or "unknown",
    }


def _triton() -> str:
    """Version of Triton, whose distribution is called `pytorch-triton` beside some builds of torch."""
    for name in ("triton", "pytorch-triton"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "none"


def software() -> dict[str, str]:
    """Versions that may differ between machines without changing results (see the exactness matrix): Python, libc."""
    return {"Python": platform.python_version(), **dict([machine.c_library()])}


def _exact_on(numerics: Numerics) -> str:
    """Name of the devices that give the same bits, by the kernels that actually run, not by the parameters."""
    import torch

    if numerics.device == "cuda":
        return torch.cuda.get_device_name()
    kernels = torch.backends.cpu.get_cpu_capability()
    if numerics.instruction_set != "native" and kernels == "AVX2" and machine.has_x86_64_builds():
        vendor = next(iter(machine.cpuinfo("vendor_id")), platform.machine())
        return "x86-64-v3" if numerics.instruction_set == "portable" else f"x86-64-v3 {vendor}"
    # Kernels of the same instruction set still differ between processors.
    return f"{machine.arithmetic()} {kernels}"
