"""Pins what decides the bits of a result beside its inputs: seeds, threads, instruction set, device.

Where results are exact: the same parameters give the same bytes on the same device model, whatever the number of
cores. On a CPU with `instruction_set: portable` the domain is every x86-64-v3 processor (AVX2 and FMA) of any
maker; with `native` it is one processor model. `environment()` writes that domain down.

The libraries read most of these settings once, when they load: call `pin` before NumPy or torch is imported.
"""

from __future__ import annotations

import hashlib
import os
import platform
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

_PORTABLE = {
    "ATEN_CPU_CAPABILITY": "avx2",
    # MKL's AVX2 branch differs between makers; its compatible branch does not.
    "MKL_CBWR": "COMPATIBLE",
    "NPY_DISABLE_CPU_FEATURES": _BEYOND_AVX2,
}


def pin(numerics: Numerics) -> None:
    """Fixes threads and instruction set for this process and its children."""
    threads = str(numerics.threads)
    settings = {
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        # Neither library may use fewer threads because it sees fewer cores: the split of a sum would change.
        "OMP_DYNAMIC": "FALSE",
        "MKL_DYNAMIC": "FALSE",
        # More threads than cores must sleep at a barrier, not spin.
        "OMP_WAIT_POLICY": "PASSIVE",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    }
    if numerics.instruction_set == "portable":
        settings |= _PORTABLE
    os.environ.update(settings)


def prepare_torch(numerics: Numerics) -> torch.device:
    """Makes torch deterministic and returns the device that the parameters name.

    Raises:
        MachineError: there is no such device here.
    """
    import torch

    torch.set_num_threads(numerics.threads)
    torch.use_deterministic_algorithms(True)
    # Filling fresh memory only serves to find reads of it, at a seventh of a step's time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.mkldnn.enabled = False  # type: ignore[assignment]
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False
    if numerics.device == "cuda" and not torch.cuda.is_available():
        raise MachineError(
            "`numerics.device` is cuda, and this machine has no CUDA device that torch can use",
            hint="set `numerics.device` to cpu (`dvc exp run -S numerics.device=cpu`), or run on a GPU machine",
        )
    return torch.device(numerics.device)


def key(*parts: str | int) -> int:
    """A 64-bit key from names and counters, the same in every process: where randomness starts, and only there."""
    text = "\0".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def generator(*parts: str | int) -> np.random.Generator:
    """NumPy's counter-based generator (Philox) at a key of names and counters."""
    import numpy as np

    return np.random.Generator(np.random.Philox(key=key(*parts)))


def environment(numerics: Numerics) -> dict[str, Any]:
    """What decides the bits: parameters, versions, device model. Nothing that only says where or when."""
    import torch

    if numerics.device == "cuda":
        device = torch.cuda.get_device_name()
    elif numerics.instruction_set == "portable":
        device = "x86-64-v3"
    else:
        device = f"{_processor()} {torch.backends.cpu.get_cpu_capability()}"
    return {
        "numerics": {
            "device": numerics.device,
            "threads": numerics.threads,
            "instruction_set": numerics.instruction_set,
        },
        "exact_on": device,
        "versions": {"torch": torch.__version__} | {name: version(name) for name in ("numpy", "safetensors")},
    }


def _processor() -> str:
    """The processor's model: kernels of one instruction set still differ between makers."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
