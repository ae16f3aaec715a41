"""A CUDA device that computes nothing, for fake tensors in a CPU build of torch, which has none.

`fake_device.cpp` is compiled, in about two seconds, and loaded before torch, which looks for its devices once. A CUDA
build of torch has such a device of its own.
"""

from __future__ import annotations

import ctypes
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_SOURCE = Path(__file__).with_suffix(".cpp")


def missing() -> str | None:
    """Why there is no such device here, or None."""
    if _needed() and shutil.which("g++") is None:
        return "with a CPU build of torch, counting the operations on a GPU needs g++"
    return None


def install() -> None:
    """Gives this process the device. It must not have imported torch, and should compute nothing else.

    Raises:
        SystemExit: there is no compiler, or it fails.
    """
    if not _needed():
        return
    assert "torch" not in sys.modules
    if reason := missing():
        raise SystemExit(f"{reason}; on Debian, `apt-get install g++`")
    include, libraries = _torch() / "include", _torch() / "lib"
    with tempfile.TemporaryDirectory() as folder:
        device = Path(folder) / "device.so"
        command = ["g++", "-shared", "-fPIC", "-std=c++20", f"-I{include}", _SOURCE, "-o", device]
        link = [f"-L{libraries}", f"-Wl,-rpath,{libraries}", "-lc10", "-ltorch_cpu"]
        compiled = subprocess.run([*command, *link], capture_output=True, text=True)
        if compiled.returncode:
            raise SystemExit(f"g++ does not compile {_SOURCE.name} with this torch:\n{compiled.stderr}")
        ctypes.CDLL(str(device), mode=ctypes.RTLD_GLOBAL)


def _needed() -> bool:
    return not (_torch() / "lib/libtorch_cuda.so").exists()


def _torch() -> Path:
    """The folder of torch, without importing it."""
    found = importlib.util.find_spec("torch")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent
