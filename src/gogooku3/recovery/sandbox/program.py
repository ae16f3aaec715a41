"""The project's own commands, run as processes: each loads its libraries with the numerics of what it works on."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gogooku3.errors import MachineError

# -P: a file in the folder where the user stands must not pass for a module.
_COMMAND = ("-P", "-m", "gogooku3.cli")


def run(
    *arguments: str, python: str = sys.executable, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs `gogooku3 VERB …` by the code that an interpreter has installed; `variables` are its whole environment."""
    command = [python, *_COMMAND, *arguments]
    return subprocess.run(command, env=variables, capture_output=True, encoding="utf-8", check=False)  # noqa: S603


def verified(package: Path, python: str = sys.executable, variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What `gogooku3 verify --json` says of a package.

    Raises `MachineError` where the command does not come to a verdict.
    """
    done = run("verify", str(package.absolute()), "--json", python=python, variables=variables)
    if done.returncode not in (0, 1) or not done.stdout:
        raise MachineError(
            f"`gogooku3 verify {package}` ended with {done.returncode}: {done.stderr.strip()}",
            hint="`gogooku3 doctor` says what this machine lacks",
        )
    verdict: dict[str, Any] = json.loads(done.stdout)
    return verdict
