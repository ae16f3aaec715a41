"""Unsupported interpreters and processors are refused before a compiled library is loaded."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gogooku3.errors import MachineError
from gogooku3.startup import require

from .disks import mounted

ROOT = Path(__file__).parents[1]
HERE = Path("/proc/cpuinfo")
NEHALEM = """processor	: 0
vendor_id	: GenuineIntel
model name	: Intel(R) Core(TM) i7 CPU         920  @ 2.67GHz
flags		: fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ss ht \
syscall nx rdtscp lm constant_tsc pni ssse3 cx16 sse4_1 sse4_2 popcnt lahf_lm
"""
X86_64 = pytest.mark.skipif(os.uname().machine != "x86_64", reason="no x86-64 processor")


def run(*arguments: str, before: tuple[str, ...] = (), **variables: str) -> subprocess.CompletedProcess[str]:
    command = [*before, sys.executable, *arguments]
    return subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("module", ["gogooku3.cli", "gogooku3.stages"])
@pytest.mark.parametrize("level", ["1", "2"])
def test_python_without_assertions_is_refused_in_one_message(module: str, level: str) -> None:
    done = run("-m", module, "doctor", PYTHONOPTIMIZE=level)
    assert done.returncode == MachineError.exit_code
    assert done.stderr.startswith(f"error: Python runs with optimization level {level}")
    assert "hint: unset PYTHONOPTIMIZE" in done.stderr
    assert "Traceback" not in done.stderr


@X86_64
def test_a_processor_without_avx2_is_refused_with_its_missing_features(tmp_path: Path) -> None:
    old = tmp_path / "cpuinfo"
    old.write_text(NEHALEM)
    with pytest.raises(MachineError, match="lacks abm, avx, avx2, bmi1, bmi2, f16c, fma, movbe, xsave"):
        require(old)


@X86_64
def test_this_processor_and_an_unknown_one_are_not_refused(tmp_path: Path) -> None:
    require(HERE)
    require(tmp_path / "absent")
    silent = tmp_path / "cpuinfo"
    silent.write_text("processor\t: 0\n")
    require(silent)


@X86_64
def test_an_older_processor_ends_every_command_with_one_message(tmp_path: Path) -> None:
    old = tmp_path / "cpuinfo"
    old.write_text(NEHALEM)
    script = f"mount --bind {old} {HERE} && exec {sys.executable} -m gogooku3.cli doctor"
    unshare = shutil.which("unshare")
    namespace = [unshare or "unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    if unshare is None or subprocess.run([*namespace, "mount", "--bind", old, HERE], capture_output=True).returncode:
        pytest.skip("this system gives no mount namespace of its own")
    done = subprocess.run([*namespace, "sh", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == MachineError.exit_code, done.stderr
    assert done.stderr.startswith("error: this processor lacks abm, avx, avx2")
    assert "Traceback" not in done.stderr


def test_a_nearly_full_disk_gets_no_bytecode(tmp_path: Path) -> None:
    """Python 3.11 would publish the part of a file that fits, which no later command can read."""
    with mounted(tmp_path / "disk", "64m") as disk:
        shutil.copytree(ROOT / "src/gogooku3", disk.folder / "gogooku3", ignore=shutil.ignore_patterns("__pycache__"))
        variables = {"PYTHONPATH": str(disk.folder), "PYTHONDONTWRITEBYTECODE": ""}
        cache = disk.folder / "gogooku3/__pycache__"
        assert run("-c", "import gogooku3.errors", **variables).returncode == 0
        assert {path.name.partition(".")[0] for path in cache.iterdir()} == {"__init__", "startup", "errors"}
        (disk.folder / "ballast").write_bytes(bytes(50 << 20))
        assert run("-c", "import gogooku3.paths", **variables).returncode == 0
        assert not list(cache.glob("paths.*"))
