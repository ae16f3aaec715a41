"""Phases of training that are killed, lose what was written last, or run out of disk, and then run again.

The outputs of a phase are removed before it starts, as DVC does it; its states are left, as DVC does.
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

_FULL = 50_000
"""Bytes of the largest file that a full disk still takes; weights are larger."""
_NO_DISK = 4
"""With what a stage ends that cannot write."""


def kill(place: Place, kills: int, seed: int) -> int:
    """Trains all phases, each killed at random moments again and again; how often a state was there to go on from."""
    draw, held = random.Random(seed), 0
    for number, phase in enumerate(PHASES):
        began = time.monotonic()
        place.train(phase)
        took = time.monotonic() - began
        left = kills * (number + 1) // len(PHASES) - kills * number // len(PHASES)
        while left:
            if _killed(place, phase, took * draw.random()):
                left -= 1
                held += bool(_states(place, phase))
        place.train(phase)
        tell(f"{phase} killed; {held} times with a state to go on from so far")
    return held


def cut_off(place: Place, phase: str) -> int:
    """Trains a phase that is killed, its newest state then cut off, as lost power may leave a file; how many whole
    states were left."""
    with _started(place, phase) as victim:
        _await_states(place, phase, 2, victim)
        os.killpg(victim.pid, signal.SIGKILL)
    *older, newest = _states(place, phase)
    newest.write_bytes(newest.read_bytes()[:-4096])
    place.train(phase)
    return len(older)


def out_of_disk(place: Place, phase: str) -> int:
    """Trains a phase that from its first state on can write no file of any size, and then again with room; how many
    states were there.

    Raises:
        SystemExit: the phase without room did not end as one that cannot write.
    """
    with _started(place, phase) as victim:
        _await_states(place, phase, 1, victim)
        resource.prlimit(victim.pid, resource.RLIMIT_FSIZE, (_FULL, resource.RLIM_INFINITY))
    if victim.returncode != _NO_DISK:
        raise SystemExit(f"phase {phase} ended with {victim.returncode} where the disk was full, not with {_NO_DISK}")
    states = _states(place, phase)
    place.train(phase)
    return len(states)


def _killed(place: Place, phase: str, moment: float) -> bool:
    """Starts a phase and kills it; False if it had ended before."""
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


def _await_states(place: Place, phase: str, number: int, running: subprocess.Popen[bytes]) -> None:
    while len(_states(place, phase)) < number:
        if running.poll() is not None:
            raise SystemExit(f"phase {phase} ended with {running.returncode} before it had saved {number} states")
        time.sleep(0.01)


def _states(place: Place, phase: str) -> list[Path]:
    """A phase's saved states, the newest last."""
    return sorted((place.folder / f"models/.{phase}.partial").glob("0*"))
