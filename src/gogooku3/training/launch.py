"""Launches the processes of distributed training as `torchrun` does, waits, and reports the error that ended them.

Only the main process (rank 0) shows progress and logs. An error in any process ends all.
"""

from __future__ import annotations

import logging
import os
import signal
import tempfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from torch import distributed
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from gogooku3 import source
from gogooku3.config.numerics import Numerics
from gogooku3.errors import InterruptionError, MachineError
from gogooku3.runtime.interruption import masked_in_children, signal_name
from gogooku3.training.distributed import Group, process_group
from gogooku3.training.worker_errors import WorkerError, read_worker_errors

_RESUME_HINT = "`dvc repro` resumes from the newest checkpoint; with `reduction: fixed` the result has the same bytes"


def run_distributed(numerics: Numerics, work: Callable[[Group], None], *command: str) -> None:
    """Runs a stage's work in `numerics.processes` processes: in this one, or in ones that it launches.

    Args:
        work: called in each process, with its process group.
        command: the stage and its arguments, with which a launched process reaches this call again.

    Raises:
        UserError: the error that one of the processes raised.
        MachineError: a process was killed, or there are fewer GPUs than processes.
        InterruptionError: this process received SIGINT (Ctrl-C), SIGTERM or SIGHUP, and stopped the others.
    """
    if numerics.processes > 1 and not distributed.is_torchelastic_launched():
        launch(numerics.processes, *command)
        return
    with process_group(numerics) as group:
        work(group)


def launch(processes: int, *command: str) -> None:
    """Runs a stage in several processes on this machine.

    Raises:
        UserError: the error that one of the processes raised.
        MachineError: a process was killed.
        InterruptionError: this process received SIGINT (Ctrl-C), SIGTERM or SIGHUP, and stopped the others.
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
        python, *arguments = source.command("stages.worker")
        # Silences torch's own report of failed processes; the error raised below says it in one line.
        logging.disable()
        try:
            with masked_in_children():
                elastic_launch(config, python)(*arguments, str(os.getpid()), folder, *command)
        except ChildFailedError as failed:
            raise _cause(read_worker_errors(reports), failed.failures.values(), processes) from None
        except SignalException as received:
            stopped = [report for report in read_worker_errors(reports) if report.kind == InterruptionError.__name__]
            if stopped:
                raise _lowest_rank(stopped).error from None
            raise InterruptionError(f"stopped by {signal_name(received.sigval)}", hint=_RESUME_HINT) from None
        finally:
            logging.disable(logging.NOTSET)


def _cause(reports: Sequence[WorkerError], failures: Collection[ProcessFailure], processes: int) -> Exception:
    """The root cause among the failures; the other processes fail as a consequence.

    A `UserError` is never a consequence, except the report of a process that the launcher stopped. A killed process
    leaves no report; processes that waited for it report a broken connection.
    """
    faults = [report for report in reports if report.kind not in ("", InterruptionError.__name__)]
    if faults:
        return _lowest_rank([report for report in faults if report.kind == faults[0].kind]).error
    unreported = {failure.local_rank for failure in failures} - {report.rank for report in reports}
    killed = [failure for failure in failures if failure.local_rank in unreported and failure.exitcode < 0]
    if killed:
        # The launcher ends the remaining processes with SIGTERM, so any other signal is closer to the cause.
        first = min(killed, key=lambda failure: (failure.exitcode == -signal.SIGTERM, failure.timestamp))
        return MachineError(
            f"training process {first.local_rank} of {processes} was killed by {first.signal_name()}, perhaps out of"
            " memory",
            hint=_RESUME_HINT,
        )
    if reports:
        stopped = [report for report in reports if report.kind]
        return (_lowest_rank(stopped) if reports[0].kind else reports[0]).error
    codes = ", ".join(f"rank {failure.local_rank} with exit code {failure.exitcode}" for failure in failures)
    return RuntimeError(f"of {processes} training processes failed: {codes}")


def _lowest_rank(reports: Sequence[WorkerError]) -> WorkerError:
    """The report of the lowest rank: the main process's, if it has one."""
    return min(reports, key=lambda report: report.rank)
