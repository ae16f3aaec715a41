"""Runs a command in a copy of a folder in which a fault really happens; a program of its own, in a mount namespace.

`unshare --mount python disturbed.py` reads a task (JSON) on stdin and prints the result. The folder is the lower layer
of an overlay, whose upper layer is a tmpfs: every write of the command goes there, nothing is copied, and the
namespace's end removes it. A full disk is the tmpfs at its size, a missing permission is root without its capabilities.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

UNSEEN = frozenset({"logs", "__pycache__", "provenance"})
"""Folders that hold no results, or such with times; hidden files and folders are no results either."""


FOREVER_S = 300.0
"""After so many seconds without memory a process is taken to wait forever, and is killed."""


def mount(root: Path, layers: Path) -> None:
    call("mount", "-t", "tmpfs", "-o", "size=1g", "tmpfs", str(layers))
    for name in ("upper", "work"):
        (layers / name).mkdir()
    options = f"lowerdir={root},upperdir={layers / 'upper'},workdir={layers / 'work'}"
    call("mount", "-t", "overlay", "-o", options, "overlay", str(root))


def call(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def results(root: Path) -> dict[str, str]:
    """The hash of every visible file."""
    found = {}
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in UNSEEN and not name.startswith(".")]
        for name in files:
            path = Path(folder, name)
            if not name.startswith(".") and path.is_file():
                found[str(path.relative_to(root))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def set_writable(root: Path, writable: bool) -> None:
    for folder, _, _ in os.walk(root):
        Path(folder).chmod(0o755 if writable else 0o555)


def run(task: dict[str, Any], fault: dict[str, Any]) -> dict[str, Any]:
    """Runs the command with a fault; returns how it ended."""
    command = [*task["command"]]
    if "denied" in fault:
        command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *command]
    limit = fault.get("memory")

    def prepare() -> None:
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        if limit:
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    began, peak = time.monotonic(), 0
    with (
        Path("/dev/shm").joinpath(f"said-{os.getpid()}").open("w+") as said,
        subprocess.Popen(
            command,
            cwd=task["folder"],
            env=os.environ | task["variables"],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=prepare,
        ) as process,
    ):
        Path(said.name).unlink()
        if "signal" in fault:
            while process.poll() is None and not handles_signals(process.pid):
                time.sleep(0.005)
            time.sleep(fault["after"])
            if process.poll() is None:
                process.send_signal(fault["signal"])
        deadline = began + FOREVER_S if limit else math.inf
        while process.poll() is None:
            if time.monotonic() > deadline:
                process.kill()
            peak = max(peak, address_space(process.pid))
            time.sleep(0.02)
        said.seek(0)
        text = said.read()
    return {"code": process.returncode, "said": text, "seconds": time.monotonic() - began, "peak": peak}


def handles_signals(pid: int) -> bool:
    return bool(int(status(pid, "SigCgt") or "0", 16) >> (signal.SIGTERM - 1) & 1)


def address_space(pid: int) -> int:
    return int((status(pid, "VmPeak") or "0 kB").split()[0]) * 1024


def status(pid: int, name: str) -> str:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(f"{name}:")), "")


def main(task: dict[str, Any]) -> dict[str, Any]:
    root, layers = Path(task["root"]), Path(task["layers"])
    mount(root, layers)
    for path in (Path(task["folder"], name) for name in task["remove"]):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    fault = task["fault"]
    if "free" in fault:
        (layers / "ballast").write_bytes(bytes(1 << 16))  # tmpfs takes the size 0 for no limit
        system = os.statvfs(layers)
        used = (system.f_blocks - system.f_bfree) * system.f_frsize
        call("mount", "-o", f"remount,size={used + fault['free']}", str(layers))
    if "denied" in fault:
        set_writable(root, False)
    made = run(task, fault)
    if "free" in fault:
        call("mount", "-o", "remount,size=1g", str(layers))
    if "denied" in fault:
        set_writable(root, True)
    made["results"] = results(root)
    if task["again"]:
        made["again"] = run(task, {})
        made["again"]["results"] = results(root)
    return made


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(json.load(sys.stdin))))
