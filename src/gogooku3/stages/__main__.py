"""Runs one stage: `python -m gogooku3.stages STAGE [ARGUMENT …]`, as `dvc.yaml` does.

Checks all parameters and pins the numerics before the stage, and with it NumPy and torch, is imported.
"""

from __future__ import annotations

import sys
from importlib import import_module

from gogooku3 import config, numerics
from gogooku3.errors import ConfigError, InterruptionError, UserError, unusable

STAGES = (
    *("quotes", "dataset", "quality", "parent", "train", "baselines", "evaluate", "attribution"),
    *("plan", "fold", "fold_baselines", "join", "report", "package"),
)


def main(*command: str) -> int:
    """Runs the stage and returns its exit code; what a user can cause is printed, never a traceback."""
    try:
        if not command or command[0] not in STAGES:
            raise ConfigError(f"`{' '.join(command)}` names no stage", hint=f"the stages are {', '.join(STAGES)}")
        params = config.load()
        numerics.pin(params.numerics)
        import_module(f"gogooku3.stages.{command[0]}").run(params, *command[1:])
    except UserError as error:
        return _told(error)
    except OSError as error:
        return _told(unusable(error))
    except KeyboardInterrupt:
        return _told(InterruptionError("stopped by Ctrl-C", hint="`dvc repro` goes on; what was finished stays"))
    return 0


def _told(error: UserError) -> int:
    print(f"error: {error}", file=sys.stderr)  # noqa: T201
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
