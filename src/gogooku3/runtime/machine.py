"""Differences between the supported systems, Linux and macOS (Windows runs the package in WSL, which is Linux).

Every call or file that one of them lacks is used here and nowhere else; `startup` refuses other systems. Imports
neither NumPy nor torch.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
_DRIVER = Path("/proc/driver/nvidia/version")
_DRIVER_VERSION = re.compile(r"Module.*?  ([0-9.]+)")
_TIMEOUT_S = 10.0


def cpus() -> int:
    """Number of logical processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory() -> int:
    """Physical memory in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def cpuinfo(entry: str, file: Path = CPUINFO) -> list[str]:
    """The values of an entry of Linux's list of processors, one per processor; empty if there are none."""
    lines = _text(file).splitlines()
    return [line.split(":", 1)[1].strip() for line in lines if ":" in line and line.startswith(entry)]


def processor(file: Path = CPUINFO) -> str:
    """Model of the processor. On ARM, Linux has no name but the numbers of implementer and part: `aarch64 0x41-0xd40`.

    A part of 0x000 is that of a virtual machine, which hides the model.
    """
    if sys.platform == "darwin":
        return _output("sysctl", "-n", "machdep.cpu.brand_string") or platform.machine()
    cores = zip(cpuinfo("CPU implementer", file), cpuinfo("CPU part", file), strict=False)
    if models := sorted({f"{implementer}-{part}" for implementer, part in cores}):  # several: cores of different sizes
        return " ".join([platform.machine(), *models])
    return next(iter(cpuinfo("model name", file)), platform.machine())


def arithmetic(file: Path = CPUINFO) -> str:
    """Processor model, and the system's version if libraries compute with a library of the system: on macOS NumPy and
    torch multiply matrices with its Accelerate framework."""
    model = processor(file)
    return f"{model}, {operating_system()}" if sys.platform == "darwin" else model


def has_x86_64_builds() -> bool:
    """Whether the libraries are the x86-64 builds of Linux, whose AVX2 kernels give one result on all processors."""
    return sys.platform == "linux" and platform.machine() == "x86_64"


def operating_system() -> str:
    """Name and version of the system, such as `Debian GNU/Linux 13 (trixie)` or `macOS 26.1`."""
    if sys.platform == "darwin":
        return f"macOS {platform.mac_ver()[0]}"
    with suppress(OSError):
        return platform.freedesktop_os_release().get("PRETTY_NAME", "")
    return platform.system()


def c_library() -> tuple[str, str]:
    """Name and version of the C library; that of macOS has the version of the system."""
    if sys.platform == "darwin":
        return "macOS", platform.mac_ver()[0]
    library, version = platform.libc_ver()
    return library or "C library", version or "unknown"


def mapped_files() -> str:
    """Linux's table of the files that this process has mapped, such as its libraries; empty on other systems."""
    return _text(Path("/proc/self/maps"))


def nvidia_driver(file: Path = _DRIVER) -> str | None:
    """Version of NVIDIA's driver, from its kernel module, or in WSL, which has none, from `nvidia-smi`."""
    if found := _DRIVER_VERSION.search(_text(file)):
        return found[1]
    lines = _output("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader").splitlines()
    return lines[0].strip() if lines else None


def signal_group(leader: int, number: int) -> bool:
    """Sends a signal to a process group; False if none of its processes is left.

    macOS denies it (EPERM) if those that are left have ended, and only their exit codes have not been read.
    """
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _text(file: Path) -> str:
    with suppress(OSError):
        return file.read_text(encoding="utf-8")
    return ""


def _output(*command: str) -> str:
    """Standard output of a program; empty if it fails or does not exist."""
    with suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=_TIMEOUT_S).stdout.strip()  # noqa: S603  (no shell)
    return ""
