"""Runs the project's own commands in subprocesses: each loads its libraries with the numerics that it needs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gogooku3 import source
from gogooku3.errors import MachineError
from gogooku3.runtime import interruption


def run(
    *arguments: str, python: str | None = None, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs `gogooku3 VERB …` with the current source, or with the source that another interpreter imports.

    Args:
        python: interpreter of an environment for a release; an old release's source cannot be run by its path.
        variables: the complete environment of the process.
    """
    # -P: a file in the current folder must not be imported as a module.
    command = source.command("cli") if python is None else [python, "-P", "-m", "gogooku3.cli"]
    return interruption.run(
        [*command, *arguments],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )


def run_verify(
    package: Path,
    python: str | None = None,
    variables: Mapping[str, str] | None = None,
    trusted_keys: Path | None = None,
) -> dict[str, Any]:
    """The output of `gogooku3 verify --json` for a package.

    Args:
        trusted_keys: for `--trusted-keys`, which old releases do not have.

    Raises `MachineError` if the command ends without a verdict.
    """
    keys = [] if trusted_keys is None else ["--trusted-keys", str(trusted_keys.absolute())]
    done = run("verify", str(package.absolute()), "--json", *keys, python=python, variables=variables)
    if done.returncode not in (0, 1) or not done.stdout:
        raise MachineError(
            f"`gogooku3 verify {package}` ended with {done.returncode}: {done.stderr.strip()}",
            hint="run `gogooku3 doctor` to check this machine",
        )
    verdict: dict[str, Any] = json.loads(done.stdout)
    return verdict
