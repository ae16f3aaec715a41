"""How the process of a command line ends: a late signal, and no memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

AT_EXIT = """
import atexit, os, signal, sys
from gogooku3.cli import main

atexit.register(lambda: os.kill(os.getpid(), signal.{number}))
sys.argv = ["gogooku3", "features", "--set", "core"]
main()
"""

WITHOUT_MEMORY = """
import atexit, sys
import click
from gogooku3.cli import main

@main.command()
def full():
    print("begun")
    raise MemoryError("of a library")

atexit.register(lambda: sys.exit("an exit handler ran"))
sys.argv = ["gogooku3", "full"]
main()
"""


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_after_the_end_changes_nothing(number: str) -> None:
    done = python(AT_EXIT.format(number=number))
    assert (done.returncode, done.stderr) == (0, "")


def test_without_memory_the_error_is_all_that_is_printed() -> None:
    done = python(WITHOUT_MEMORY)
    assert (done.returncode, done.stdout) == (4, "begun\n")
    error, hint = done.stderr.splitlines()
    assert error == "error: this machine has not enough memory: of a library"
    assert hint.startswith("hint: end other programs")
