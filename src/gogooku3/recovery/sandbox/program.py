"""The project's own commands, run as processes: each loads its libraries with the numerics of what it works on."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gogooku3 import source
from gogooku3.errors import MachineError


def run(
    *arguments: str, python: str | None = None, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs `gogooku3 VERB …`, by the source that runs here or by the one that another interpreter finds.

    Args:
        python: of an environment for a release; the release may be from before a source could be run by its path.
        variables: all of the process's environment.
    """
    # -P: a file in the folder where the user stands must not pass for a module.
    command = source.command("cli") if python is None else [python, "-P", "-m", "gogooku3.cli"]
    return subprocess.run(  # noqa: S603  (a list of arguments, no shell)
        [*command, *arguments], env=variables, capture_output=True, encoding="utf-8", check=False
    )


def verified(package: Path, python: str | None = None, variables: Mapping[str, str] | None = None) -> dict[str, Any]:
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
