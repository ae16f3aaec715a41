"""Several processes for one phase: starts them as `torchrun` does, waits, and says what ended them.

The first of them is seen: its progress and log. The others are silent, and what goes wrong in one of them ends all.
"""

from __future__ import annotations

import logging
import os
import signal
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from torch import distributed
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from gogooku3 import source
from gogooku3.config.numerics import Numerics
from gogooku3.errors import InterruptionError, MachineError
from gogooku3.training.distributed import Group, process_group
from gogooku3.training.stop_signal import signal_name
from gogooku3.training.worker_errors import WorkerError, read_worker_errors

_RESUME_HINT = "`dvc repro` goes on from the newest state that was saved, with `reduction: fixed` to the same bytes"


def run_distributed(numerics: Numerics, work: Callable[[Group], None], *command: str) -> None:
    """Does a stage's work in as many processes as the parameters ask for: here, or in those that it starts.

    Args:
        work: what each of the processes does.
        command: the stage and its arguments, by which another process comes to `work` again.

    Raises:
        UserError: what one of them raised.
        MachineError: one was killed, or there are fewer GPUs than processes.
        InterruptionError: this process was asked to end, and asked the others.
    """
    if numerics.processes > 1 and not distributed.is_torchelastic_launched():
        launch(numerics.processes, *command)
        return
    with process_group(numerics) as group:
        work(group)


def launch(processes: int, *command: str) -> None:
    """Runs a stage in several processes of this machine.

    Raises:
        UserError: what one of them raised.
        MachineError: one was killed.
        InterruptionError: this process was asked to end, and asked the others.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        reports = Path(folder)
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=processes,
            run_id=str(os.getpid()),
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            local_addr="localhost",
            max_restarts=0,
            logs_specs=DefaultLogsSpecs(log_dir=f"{folder}/logs", local_ranks_filter={0}),
        )
        python, *started = source.command("stages.worker")
        # What it has to say of processes that end is said below, in one line.
        logging.disable()
        try:
            with _mask_sigint_in_children():
                elastic_launch(config, python)(*started, str(os.getpid()), folder, *command)
        except ChildFailedError as failed:
            raise _cause(read_worker_errors(reports), failed.failures.values(), processes) from None
        except SignalException as asked:
            ended = [report for report in read_worker_errors(reports) if report.kind == InterruptionError.__name__]
            if ended:
                raise _lowest_rank(ended).error from None
            raise InterruptionError(f"stopped by {signal_name(asked.sigval)}", hint=_RESUME_HINT) from None
        finally:
            logging.disable(logging.NOTSET)


@contextmanager
def _mask_sigint_in_children() -> Iterator[None]:
    """Within it processes start with Ctrl-C held back, until they let it in: an interpreter that meets one while it
    loads prints a traceback. This process hears it by another thread, and heeds it in this one as ever."""
    over = Event()
    hears = Thread(target=over.wait)
    hears.start()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        over.set()
        hears.join()


def _cause(reports: Sequence[WorkerError], failures: Collection[ProcessFailure], processes: int) -> Exception:
    """What the others only followed.

    An error of a user's comes from no other process. A process that was killed has left no report; those that waited
    for it have, of a connection that broke.
    """
    users = [report for report in reports if report.kind]
    if users:
        return _lowest_rank([report for report in users if report.kind == users[0].kind]).error
    silent = {failure.local_rank for failure in failures} - {report.rank for report in reports}
    killed = [failure for failure in failures if failure.local_rank in silent and failure.exitcode < 0]
    if killed:
        # SIGTERM is what the others are ended with.
        first = min(killed, key=lambda failure: (failure.exitcode == -signal.SIGTERM, failure.timestamp))
        return MachineError(
            f"process {first.local_rank} of {processes} that train together was killed by {first.signal_name()},"
            " perhaps for want of memory",
            hint=_RESUME_HINT,
        )
    if reports:
        return reports[0].error
    codes = ", ".join(f"{failure.local_rank} with {failure.exitcode}" for failure in failures)
    return RuntimeError(f"of {processes} processes that train together ended {codes}")


def _lowest_rank(reports: Sequence[WorkerError]) -> WorkerError:
    """Of reports of the same, that of the process that writes, if it has one."""
    return min(reports, key=lambda report: report.rank)
