"""Pins what decides the bits of a result beside its inputs: seeds, threads, instruction set, device.

Where results are exact: the same parameters give the same bytes on the same device model, whatever the number of
cores. On a CPU with `instruction_set: portable` the domain is every x86-64-v3 processor (AVX2 and FMA) of any
maker; with `avx2` every one of the same maker; with `native` it is one processor model. `environment()` writes that
domain down. With `reduction: fixed` the number of processes that trained is no part of it; with `fast` it is. Another
precision is another domain.

The libraries read most of these settings once, when they load: call `pin` before NumPy or torch is imported.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import re
import threading
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gogooku3.config.numerics import Numerics
from gogooku3.errors import MachineError

if TYPE_CHECKING:
    import numpy as np
    import torch

# NumPy's names for the dispatched kernels beyond x86-64-v3; a name that a processor lacks is ignored.
_BEYOND_AVX2 = "X86_V4 AVX512_ICL AVX512_SPR"

_AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_CBWR": "AVX2",
    "NPY_DISABLE_CPU_FEATURES": _BEYOND_AVX2,
    # OpenBLAS, behind NumPy and SciPy, has kernels for each model of processor.
    "OPENBLAS_CORETYPE": "Haswell",
}

_INSTRUCTION_SETS = {
    "native": {},
    "avx2": _AVX2,
    # MKL's AVX2 branch differs between makers; its compatible branch does not.
    "portable": _AVX2 | {"MKL_CBWR": "COMPATIBLE"},
}


_FAMILIES = (
    *("ATEN_", "BLIS_", "DNNL_", "GOMP_", "GOTO_", "KMP_", "MKL_", "MKLDNN_", "NPY_", "OMP_", "ONEDNN_", "OPENBLAS_"),
    *("CUBLAS_", "CUBLASLT_", "CUDA_DISABLE_PTX", "CUDA_FORCE_", "CUDNN_", "DISABLE_ADDMM_", "NVIDIA_TF32_"),
    *("PYTORCH_", "TORCH_"),
)
"""Prefixes of the variables by which the libraries that compute are steered."""

_HARMLESS = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "TORCH_CPP_LOG_LEVEL", "TORCH_LOGS", "TORCH_NCCL_")
"""Beginnings of those among them that decide where memory comes from, what is logged, or how an error is found."""


def pin(numerics: Numerics) -> None:
    """Fixes threads and instruction set for this process and its children, whatever the environment says of them.

    The variables of the libraries that compute are taken out first: by family, so that one that nobody thought of is
    too. What the system's loader reads (LD_PRELOAD, GLIBC_TUNABLES) cannot be; the probe sees what it does.
    """
    for name in [name for name in os.environ if name.startswith(_FAMILIES) and not name.startswith(_HARMLESS)]:
        del os.environ[name]
    threads = str(numerics.threads)
    settings = {
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        # Neither library may use fewer threads because it sees fewer cores: the split of a sum would change.
        "OMP_DYNAMIC": "FALSE",
        "MKL_DYNAMIC": "FALSE",
        # At a barrier a thread sleeps: one that spins for another that has no core costs a multiple of the step. The
        # short spin comes first because the next parallel region mostly begins within it: half as fast again.
        "OMP_WAIT_POLICY": "PASSIVE",
        "GOMP_SPINCOUNT": "1000",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    }
    os.environ.update(settings | _INSTRUCTION_SETS[numerics.instruction_set])


def prepare_torch(numerics: Numerics) -> torch.device:
    """Makes torch deterministic and returns the device that the parameters name.

    Raises:
        MachineError: there is no such device here, or an operation does not get its threads.
    """
    import torch

    torch.set_num_threads(numerics.threads)
    _require_threads(numerics.threads)
    torch.use_deterministic_algorithms(True)
    # Filling fresh memory only serves to find reads of it, at a seventh of a step's time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.mkldnn.enabled = False  # type: ignore[assignment]
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False
    if numerics.device == "cuda" and not torch.cuda.is_available():
        raise MachineError(
            "`numerics.device` is cuda, and this machine has no CUDA device that torch can use",
            hint="set `numerics.device` to cpu (`dvc exp run -S numerics.device=cpu`), or run on a GPU machine",
        )
    return torch.device("cuda", torch.cuda.current_device()) if numerics.device == "cuda" else torch.device("cpu")


def _require_threads(wanted: int) -> None:
    """Raises `MachineError` where a parallel region has other threads than the parameters ask for.

    The split of a sum follows from them. `torch.get_num_threads()` is what was asked for, not what is given: a region
    is entered and counted, where torch's OpenMP library can be entered from here.
    """
    given = _threads_of_a_region()
    if given is not None and given != wanted:
        raise MachineError(
            f"an operation gets {given} threads here, and `numerics.threads` is {wanted}: sums would have other bits",
            hint="run it in an environment without OMP_THREAD_LIMIT and OMP_MAX_ACTIVE_LEVELS, and load no library that"
            " sets them before",
        )


def _threads_of_a_region() -> int | None:
    """Threads that enter a parallel region of the OpenMP library that torch loaded; None where it has no such entry."""
    try:
        maps = Path("/proc/self/maps").read_text(encoding="utf-8")
    except OSError:
        return None
    loaded = set(re.findall(r"(/\S.*/torch(?:/lib|\.libs)/libgomp[^/\n]*)$", maps, re.MULTILINE))
    if len(loaded) != 1:
        return None
    entered: list[int] = []
    body = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: entered.append(threading.get_ident()))
    ctypes.CDLL(loaded.pop()).GOMP_parallel(body, None, 0, 0)
    return len(set(entered))


def key(*parts: str | int) -> int:
    """A 64-bit key from names and counters, the same in every process: where randomness starts, and only there."""
    text = "\0".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def generator(*parts: str | int) -> np.random.Generator:
    """NumPy's counter-based generator (Philox) at a key of names and counters."""
    import numpy as np

    return np.random.Generator(np.random.Philox(key=key(*parts)))


def deciding(numerics: Numerics) -> dict[str, Any]:
    """The parameters that results depend on; the number of processes is not one of them where sums have one order."""
    named = asdict(numerics)
    del named["strict"]
    if numerics.reduction == "fixed":
        del named["processes"]
    return named


def environment(numerics: Numerics) -> dict[str, Any]:
    """The domain in which results are exact: parameters, device model, precision, torch's flags as `prepare_torch` left
    them, versions. Nothing that only says where or when."""
    import torch

    versions = {"torch": torch.__version__} | {name: version(name) for name in ("numpy", "safetensors")}
    if numerics.device == "cuda":
        versions |= {"cuda": str(torch.version.cuda), "cudnn": str(torch.backends.cudnn.version())}  # type: ignore[no-untyped-call]
    return {
        "numerics": deciding(numerics),
        "exact_on": _exact_on(numerics),
        "precision": numerics.precision,
        "flags": {
            "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
            "mkldnn": bool(torch.backends.mkldnn.enabled),
            "tf32": torch.backends.cuda.matmul.allow_tf32 or torch.backends.cudnn.allow_tf32,
            "cudnn_benchmark": torch.backends.cudnn.benchmark,
        },
        "versions": versions,
    }


def software() -> dict[str, str]:
    """What differs between machines and decides no bit, as the exactness matrix shows: Python and the C library."""
    library, version = platform.libc_ver()
    return {"Python": platform.python_version(), library or "C library": version or "unknown"}


def _exact_on(numerics: Numerics) -> str:
    """The devices that give the same bits: by the kernels that run, not by those that the parameters wish for."""
    import torch

    if numerics.device == "cuda":
        return torch.cuda.get_device_name()
    kernels = torch.backends.cpu.get_cpu_capability()
    if numerics.instruction_set != "native" and kernels == "AVX2" and platform.machine() in ("x86_64", "AMD64"):
        return "x86-64-v3" if numerics.instruction_set == "portable" else f"x86-64-v3 {_processor('vendor_id')}"
    # Kernels of one instruction set still differ between processors.
    return f"{_processor('model name')} {kernels}"


def _processor(entry: str) -> str:
    """What the system says of its first processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    values = (line.split(":", 1)[1].strip() for line in lines if line.startswith(entry))
    return next(values, platform.machine())
