"""Runs one stage: `python src/gogooku3 stages STAGE [ARGUMENT …]`, as `dvc.yaml` does.

Refuses to work by another source than the clone's, checks all parameters and pins the numerics before the stage, and
with it NumPy and torch, is imported.
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
    """Runs the stage and returns its exit code; what a user can cause is printed, never a traceback."""
    try:
        run_stage(*command)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        if lines := restore_hint.restore_commands(Path.cwd(), command):
            print(lines, file=sys.stderr)  # noqa: T201
        return error.exit_code
    return 0


def run_stage(*command: str) -> None:
    """Runs the stage that a command names; what a user can cause is raised as a `UserError`."""
    if not command or command[0] not in STAGES:
        raise ConfigError(f"`{' '.join(command)}` names no stage", hint=f"the stages are {', '.join(STAGES)}")
    try:
        source.require(Path.cwd(), "stages")
        begun = source.digests()
        params = config.load()
        numerics.pin(params.numerics)
        import_module(f"gogooku3.stages.{command[0]}").run(params, *command[1:])
        source.require_unchanged(begun)
    except OSError as error:
        raise filesystem_error(error) from error
    except KeyboardInterrupt:
        raise InterruptionError("stopped by Ctrl-C", hint="`dvc repro` goes on; what was finished stays") from None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
