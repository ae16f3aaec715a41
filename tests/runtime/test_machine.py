"""Differences between systems: processor models, and a process without what macOS lacks."""

from __future__ import annotations

import ast
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from gogooku3.errors import MachineError
from gogooku3.runtime import machine
from gogooku3.startup import require

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src/gogooku3"

GRAVITON2 = """processor\t: 0
BogoMIPS\t: 243.75
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp ssbs
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x3
CPU part\t: 0xd0c
CPU revision\t: 1

processor\t: 1
CPU implementer\t: 0x41
CPU part\t: 0xd0c
"""
X86 = "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC 7B13\nflags\t\t: fpu: avx2\n"


@pytest.mark.parametrize(
    ("text", "model"),
    [
        (GRAVITON2, "0x41-0xd0c"),
        (GRAVITON2.replace("0xd0c", "0xd4f"), "0x41-0xd4f"),  # Graviton 4 and Grace: Neoverse V2
        (GRAVITON2.replace("processor\t: 0", "processor\t: 0\nmodel name\t: ARMv8 Processor rev 1"), "0x41-0xd0c"),
        # cores of two sizes, in the order of the numbers
        (
            "CPU implementer : 0x61\nCPU part : 0x023\nCPU implementer : 0x61\nCPU part : 0x022\n",
            "0x61-0x022 0x61-0x023",
        ),
    ],
)
def test_an_arm_processor_is_named_by_implementer_and_part(tmp_path: Path, text: str, model: str) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(text)
    assert machine.processor(file) == f"{platform.machine()} {model}"


def test_an_x86_processor_keeps_the_name_that_the_system_gives(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(X86)
    assert machine.processor(file) == machine.arithmetic(file) == "AMD EPYC 7B13"
    assert machine.cpuinfo("vendor_id", file) == ["AuthenticAMD"]
    assert machine.processor(tmp_path / "none") == platform.machine()


def test_on_macos_the_domain_is_chip_and_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a program in place of macOS's `sysctl`."""
    sysctl = tmp_path / "sysctl"
    sysctl.write_text('#!/bin/sh\ntest "$*" = "-n machdep.cpu.brand_string" && echo Apple M2 Max\n')
    sysctl.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(platform, "mac_ver", lambda: ("26.1", ("", "", ""), "arm64"))
    assert machine.processor() == "Apple M2 Max"
    assert machine.arithmetic() == "Apple M2 Max, macOS 26.1"
    assert machine.operating_system() == "macOS 26.1"
    assert machine.c_library() == ("macOS", "26.1")
    assert not machine.has_x86_64_builds()


def test_in_wsl_the_driver_comes_from_its_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 570.86.15\necho 570.86.15\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.nvidia_driver(tmp_path / "none") == "570.86.15"
    program.write_text("#!/bin/sh\nexit 9\n")
    assert machine.nvidia_driver(tmp_path / "none") is None


def test_memory_is_that_of_the_kernel() -> None:
    (total,) = machine.cpuinfo("MemTotal", Path("/proc/meminfo"))
    assert machine.memory() == int(total.split()[0]) << 10


@pytest.mark.parametrize("system", ["win32", "cygwin", "freebsd14"])
def test_another_system_is_refused_and_windows_is_pointed_to_wsl(system: str) -> None:
    with pytest.raises(MachineError, match=f"does not run on this system .{system}.") as refused:
        require(system=system)
    assert "WSL" in refused.value.hint
    require(system="darwin")


LINUX_ONLY = {
    "os": {
        *("sched_getaffinity", "sched_setaffinity", "memfd_create", "posix_fadvise", "posix_fallocate", "pidfd_open"),
        *("copy_file_range", "splice", "eventfd", "unshare", "setns", "getrandom", "setresuid", "getxattr", "setxattr"),
        *("O_TMPFILE", "O_PATH", "O_DIRECT", "O_NOATIME", "SCHED_BATCH"),
    },
    "signal": {"SIGPWR", "SIGRTMIN", "SIGRTMAX", "SIGSTKFLT", "SIGPOLL", "sigtimedwait", "sigwaitinfo"},
    "resource": {"prlimit", "RLIMIT_OFILE", "RLIMIT_SIGPENDING", "RLIMIT_NICE", "RLIMIT_RTPRIO"},
    "select": {"epoll"},
    "socket": {"AF_PACKET", "AF_NETLINK"},
    "fcntl": {"F_ADD_SEALS", "F_OFD_SETLK", "F_SETPIPE_SZ", "F_NOTIFY"},
}  # fmt: skip
"""Names in Python's library on Linux that are missing on macOS."""


def test_what_macos_lacks_is_used_in_one_module() -> None:
    names = set().union(*LINUX_ONLY.values())
    used = {
        (file.relative_to(SOURCE).as_posix(), found)
        for file in SOURCE.rglob("*.py")
        if any(name in file.read_text(encoding="utf-8") for name in (*names, "/proc/", "/sys/"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if (found := _linux_only(node, names))
    }
    assert {file for file, _ in used} == {"runtime/machine.py", "startup.py"}, used
    # which runs before anything can be imported
    assert {found for file, found in used if file == "startup.py"} == {"/proc/cpuinfo"}


def _linux_only(node: ast.AST, names: set[str]) -> str:
    if isinstance(node, ast.Attribute) and node.attr in names:
        return node.attr
    text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
    return text if text.startswith(("/proc/", "/sys/")) else ""


WITHOUT = """
import importlib, json, pkgutil, sys
from pathlib import Path

import psutil, torch, polars  # libraries read /proc on this system, whatever gogooku3 does
for module, names in json.loads(sys.argv[1]).items():
    loaded = importlib.import_module(module)
    for name in names:
        if hasattr(loaded, name):
            delattr(loaded, name)
read = Path.read_text
def read_text(path, *args, **options):
    if str(path).startswith(("/proc", "/sys")):
        raise FileNotFoundError(2, "No such file or directory", str(path))
    return read(path, *args, **options)
Path.read_text = read_text

import gogooku3
for module in pkgutil.walk_packages(gogooku3.__path__, "gogooku3."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)

from gogooku3 import config
from gogooku3.model import probe
from gogooku3.recovery.sandbox.workspace import temporary_folder
from gogooku3.runtime import files, machine, numerics
from gogooku3.stages import run_record
from gogooku3.stages.__main__ import main
wanted = config.load().numerics
numerics.prepare_torch(wanted)
domain = probe.current_domain(wanted)
with temporary_folder("gogooku3-test-") as folder, files.replaced(folder / "new") as new:
    files.write_json(domain, new / "domain.json")
assert machine.cpus() >= 1
assert main("no-such-stage") == 2
print(json.dumps([domain["exact_on"], run_record.machine()]))
"""


@pytest.mark.slow
def test_all_modules_load_and_compute_without_what_macos_lacks(tmp_path: Path) -> None:
    """On this system's builds of the libraries: it tests gogooku3's own calls, and no library of macOS."""
    arguments = json.dumps({module: sorted(names) for module, names in LINUX_ONLY.items()})
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src"), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    exact_on, record = json.loads(done.stdout.splitlines()[-1])
    assert exact_on.startswith(("x86-64-v3", platform.machine()))
    assert record["cpus"] == os.cpu_count()
    assert record["cpu"] == platform.machine()
