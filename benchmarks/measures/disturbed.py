"""Fault injection for training phases: kill, truncated checkpoint, full disk, each followed by a rerun.

Like DVC, it removes the outputs of a phase before the phase starts, and keeps its checkpoints.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

from measures.clone import BIN, PHASES, Place, tell

_MAX_FILE = 50_000
"""Simulated full disk: maximum file size in bytes; weights are larger."""
_DISK_FULL = 4
"""Exit code of a stage that cannot write."""


def kill(place: Place, kills: int, seed: int) -> int:
    """Trains all phases, each killed repeatedly at random times; returns how often there was a checkpoint."""
    random_source, resumed = random.Random(seed), 0
    for number, phase in enumerate(PHASES):
        began = time.monotonic()
        place.train(phase)
        took = time.monotonic() - began
        remaining = kills * (number + 1) // len(PHASES) - kills * number // len(PHASES)
        while remaining:
            if _killed(place, phase, took * random_source.random()):
                remaining -= 1
                resumed += bool(_checkpoints(place, phase))
        place.train(phase)
        tell(f"{phase} killed; {resumed} times with a checkpoint so far")
    return resumed


def truncate_newest(place: Place, phase: str) -> int:
    """Kills a phase, truncates its newest checkpoint as after a power failure, and resumes.

    Returns:
        Number of intact checkpoints.
    """
    with _started(place, phase) as victim:
        _await_checkpoints(place, phase, 2, victim)
        os.killpg(victim.pid, signal.SIGKILL)
    *older, newest = _checkpoints(place, phase)
    newest.write_bytes(newest.read_bytes()[:-4096])
    place.train(phase)
    return len(older)


def out_of_disk(place: Place, phase: str) -> int:
    """Trains a phase on a disk that is full after the first checkpoint, then resumes with free space.

    Returns:
        Number of checkpoints.

    Raises:
        SystemExit: the phase on the full disk did not end with the exit code of a full disk.
    """
    with _started(place, phase) as victim:
        _await_checkpoints(place, phase, 1, victim)
        resource.prlimit(victim.pid, resource.RLIMIT_FSIZE, (_MAX_FILE, resource.RLIM_INFINITY))
    if victim.returncode != _DISK_FULL:
        raise SystemExit(f"phase {phase} ended with {victim.returncode} on a full disk, expected {_DISK_FULL}")
    checkpoints = _checkpoints(place, phase)
    place.train(phase)
    return len(checkpoints)


def _killed(place: Place, phase: str, moment: float) -> bool:
    """Starts a phase and kills it after `moment` seconds; False if it had ended before."""
    with _started(place, phase) as victim:
        time.sleep(moment)
        running = victim.poll() is None
        if running:
            os.killpg(victim.pid, signal.SIGKILL)
    return running


def _started(place: Place, phase: str) -> subprocess.Popen[bytes]:
    shutil.rmtree(place.folder / f"models/{phase}", ignore_errors=True)
    quiet = subprocess.DEVNULL
    command = [str(BIN / "python"), "src/gogooku3", "stages", "train", phase]
    return subprocess.Popen(
        command, cwd=place.folder, env=place.environment({}), stdout=quiet, stderr=quiet, start_new_session=True
    )


def _await_checkpoints(place: Place, phase: str, number: int, running: subprocess.Popen[bytes]) -> None:
    while len(_checkpoints(place, phase)) < number:
        if running.poll() is not None:
            raise SystemExit(f"phase {phase} ended with {running.returncode} before it saved {number} checkpoints")
        time.sleep(0.01)


def _checkpoints(place: Place, phase: str) -> list[Path]:
    """A phase's checkpoints, oldest first."""
    return sorted((place.folder / f"models/.{phase}.partial").glob("0*"))
