"""Worker process of a distributed stage, as `training.launch` starts it:
`python src/gogooku3 stages.worker PARENT REPORTS STAGE [ARGUMENT …]`."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from threading import Thread

from gogooku3.errors import UserError
from gogooku3.runtime.interruption import unmask
from gogooku3.stages.__main__ import run_stage
from gogooku3.training.worker_errors import WorkerError


def main(parent: str, reports: str, *command: str) -> int:
    """Runs the stage and returns its exit code; writes an error report to `reports` if it fails."""
    Thread(target=_exit_with_parent, args=(int(parent),), daemon=True).start()
    try:
        run_stage(*command, ready=unmask)
    except Exception as error:
        WorkerError.of(int(os.environ["RANK"]), error).write(Path(reports))
        return error.exit_code if isinstance(error, UserError) else 1
    return 0


def _exit_with_parent(parent: int) -> None:
    """Exits when the parent process has ended; an orphan would write to the output folder of the next run."""
    while os.getppid() == parent:
        time.sleep(0.1)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
