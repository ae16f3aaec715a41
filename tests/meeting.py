"""Processes that meet: two commands that begin at once, and a process that writes for a known time."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

_STARTED = """
import sys, time
from importlib import import_module
import gogooku3.cli
delay, loaded, arguments = float(sys.argv[1]), sys.argv[2], sys.argv[3:]
for module in loaded.split():
    import_module(module)
print("ready", flush=True)
sys.stdin.read()
time.sleep(delay)
gogooku3.cli.main(arguments, prog_name="gogooku3")
"""


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    pid: int
    code: int
    output: str
    errors: str


def meet(
    *commands: Sequence[str],
    folders: Sequence[Path],
    delays: Sequence[float] = (),
    loaded: str = "",
    **variables: str,
) -> list[Ended]:
    """Runs `gogooku3 COMMAND` once per folder, all at once; no command may end with a traceback.

    Args:
        commands: one for every folder, or one for all.
        folders: the working folder of each process.
        delays: seconds between the common start and that of each process; none by default.
        loaded: modules that each process imports before the start, so that it begins with its work.
        variables: environment variables.
    """
    read, write = os.pipe()
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"} | variables
    with ExitStack() as stack:
        stack.callback(os.close, read)
        processes = []
        try:
            for number, folder in enumerate(folders):
                command = commands[number % len(commands)]
                delay = str(delays[number] if delays else 0.0)
                processes.append(
                    stack.enter_context(
                        subprocess.Popen(
                            [sys.executable, "-c", _STARTED, delay, loaded, *command],
                            cwd=folder,
                            env=environment,
                            stdin=read,
                            stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE,
                            text=True,
                        )
                    )
                )
            for process in processes:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n", process.communicate()[1]
        finally:
            os.close(write)
        results = [(process, *process.communicate()) for process in processes]
    ended = [Ended(process.pid, process.returncode, output, errors) for process, output, errors in results]
    for each in ended:
        assert "Traceback" not in each.errors, each.errors
        assert each.code == 0 or "\nhint: " in each.errors or each.output, each
    return ended


def offsets(count: int, longest: float, seed: int = 1) -> list[tuple[float, float]]:
    """Pairs of delays: first none at all, then in turn one of the two processes is later by up to `longest` seconds."""
    draw = random.Random(seed)
    late = [draw.uniform(0.0, longest) for _ in range(count - 1)]
    return [(0.0, 0.0), *((each, 0.0) if number % 2 else (0.0, each) for number, each in enumerate(late))]


_WRITER = """
import sys
import time
from pathlib import Path
from gogooku3.runtime.files import replaced, replaced_file

kind, target, word, seconds = sys.argv[1], Path(sys.argv[2]), sys.argv[3], float(sys.argv[4])
with (replaced_file if kind == "file" else replaced)(target) as partial:
    print("writing", flush=True)
    for number in range(20):
        with (partial if kind == "file" else partial / word).open("a") as file:
            file.write(word)
        time.sleep(seconds / 20)
"""


def writer(kind: str, target: Path, word: str, seconds: float) -> subprocess.Popen[str]:
    """Starts a process that writes a word twenty times into a file, or into a file of its name in a folder."""
    command = [sys.executable, "-c", _WRITER, kind, str(target), word, str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
