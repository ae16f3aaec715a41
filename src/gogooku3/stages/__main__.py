"""Runs one stage: `python src/gogooku3 stages STAGE [ARGUMENT …]`, as `dvc.yaml` does.

Refuses to run source code of another clone, validates all parameters and pins the numerics before it imports NumPy and
torch. Then refuses an impossible plan (`preflight`), and runs the stage. Signals are handled before anything that takes
time to import. A finished run is recorded in `logs/runs` (`run_record`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from gogooku3.errors import ConfigError, UserError
from gogooku3.runtime.faults import OutOfMemoryError, end_process, print_error, reported
from gogooku3.runtime.interruption import held, ignore, stoppable

STAGES = (
    *("quotes", "dataset", "quality", "parent", "train", "member", "ensemble", "baselines"),
    *("evaluate", "attribution", "plan", "fold", "fold_baselines", "join", "report", "package"),
)


def main(*command: str) -> int:
    """Runs the stage and returns its exit code; a `UserError` is printed without a traceback."""
    try:
        run_stage(*command)
    except OutOfMemoryError as error:
        print_error(error)
        with suppress(MemoryError, ImportError, OSError):
            _print_restore_commands(command)
        end_process(error.exit_code)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        _print_restore_commands(command)
        return error.exit_code
    return 0


def _print_restore_commands(command: Sequence[str]) -> None:
    from gogooku3.stages import restore_hint  # late: signals are handled before anything heavy is imported

    if lines := restore_hint.restore_commands(Path.cwd(), command):
        print(lines, file=sys.stderr)  # noqa: T201


def run_stage(*command: str, ready: Callable[[], None] = lambda: None) -> None:
    """Runs the stage of a command; errors that a user can cause are raised as `UserError`.

    Args:
        ready: called when signals are handled.
    """
    if not command or command[0] not in STAGES:
        raise ConfigError(f"`{' '.join(command)}` is not a stage", hint=f"use one of {', '.join(STAGES)}")
    with stoppable("`dvc repro` resumes; finished stages are kept"), reported():
        ready()
        with held():  # an import that is cut off leaves libraries half-initialized, for what is imported later
            from gogooku3 import config, source
            from gogooku3.runtime import numerics

        source.require(Path.cwd(), "stages")
        digests = source.digests()
        params = config.load()
        numerics.pin(params.numerics)
        with held():
            from gogooku3 import preflight  # loads NumPy
        preflight.check_stage(params, command[0])
        with held():
            stage = import_module(f"gogooku3.stages.{command[0]}")
        stage.run(params, *command[1:])
        source.require_unchanged(digests)
        sys.stdout.flush()


if __name__ == "__main__":
    began = datetime.now(UTC)
    code = main(*sys.argv[1:])
    ignore()  # a finished stage says so, even if a signal arrives while the interpreter ends
    if code == 0:
        with suppress(MemoryError, ImportError, OSError):
            from gogooku3.stages.run_record import record_run  # late, as `restore_hint`

            record_run(tuple(sys.argv[1:]), began)
    sys.exit(code)
