"""Runs one stage: `python src/gogooku3 stages STAGE [ARGUMENT …]`, as `dvc.yaml` does.

Refuses to run source code of another clone, validates all parameters and pins the numerics before it imports the stage,
and with it NumPy and torch.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from gogooku3 import config, source
from gogooku3.errors import ConfigError, InterruptionError, UserError, filesystem_error
from gogooku3.runtime import numerics
from gogooku3.stages import restore_hint

STAGES = (
    *("quotes", "dataset", "quality", "parent", "train", "baselines", "evaluate", "attribution"),
    *("plan", "fold", "fold_baselines", "join", "report", "package"),
)


def main(*command: str) -> int:
    """Runs the stage and returns its exit code; a `UserError` is printed without a traceback."""
    try:
        run_stage(*command)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        if lines := restore_hint.restore_commands(Path.cwd(), command):
            print(lines, file=sys.stderr)  # noqa: T201
        return error.exit_code
    return 0


def run_stage(*command: str) -> None:
    """Runs the stage of a command; errors that a user can cause are raised as `UserError`."""
    if not command or command[0] not in STAGES:
        raise ConfigError(f"`{' '.join(command)}` is not a stage", hint=f"use one of {', '.join(STAGES)}")
    try:
        source.require(Path.cwd(), "stages")
        digests = source.digests()
        params = config.load()
        numerics.pin(params.numerics)
        import_module(f"gogooku3.stages.{command[0]}").run(params, *command[1:])
        source.require_unchanged(digests)
    except OSError as error:
        raise filesystem_error(error) from error
    except KeyboardInterrupt:
        raise InterruptionError("stopped by Ctrl-C", hint="`dvc repro` resumes; finished stages are kept") from None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
