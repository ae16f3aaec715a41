"""A worker's error comes back with class and hint, and the root cause among several failures is raised."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

from gogooku3.errors import DivergenceError, InterruptionError, MachineError, UserError
from gogooku3.training.launch import _cause
from gogooku3.training.worker_errors import WorkerError, read_worker_errors


def report(rank: int, error: Exception) -> WorkerError:
    try:
        raise error
    except Exception as raised:
        return WorkerError.of(rank, raised)


def failure(rank: int, code: int, moment: int = 0) -> ProcessFailure:
    made = ProcessFailure(rank, 100 + rank, code, "")
    made.timestamp = moment
    return made


def test_a_user_error_keeps_its_class_and_hint(tmp_path: Path) -> None:
    report(1, DivergenceError("loss nan", hint="lower it")).write(tmp_path)
    report(0, ValueError("a bug")).write(tmp_path)
    first, second = read_worker_errors(tmp_path)
    assert (first.rank, second.rank) == (1, 0)
    assert type(first.error) is DivergenceError
    assert str(first.error) == "loss nan\nhint: lower it"
    assert "ValueError: a bug" in str(second.error)
    assert "in report" in str(second.error), "the traceback"


BROKEN = RuntimeError("Connection closed by peer")
USERS = DivergenceError("loss nan", hint="lower it")
STOPPED = InterruptionError("stopped by SIGTERM", hint="run again")
"""What a process reports that the launcher stopped after another one's failure, or that a user stopped."""


@pytest.mark.parametrize(
    ("reports", "failures", "kind", "message"),
    [
        ([(0, BROKEN)], [failure(0, 1), failure(1, -signal.SIGKILL)], MachineError, "process 1 of 3 .* by SIGKILL"),
        (
            [],
            [failure(0, -signal.SIGTERM), failure(1, -signal.SIGSEGV), failure(2, -signal.SIGKILL, 30)],
            MachineError,
            "process 1 of 3 .* by SIGSEGV",
        ),
        ([(1, USERS)], [failure(1, 6), failure(0, -signal.SIGKILL, 30)], DivergenceError, "loss nan"),
        ([(2, BROKEN), (1, USERS)], [failure(1, 6), failure(2, 1)], DivergenceError, "loss nan"),
        ([(1, ValueError("a bug")), (0, BROKEN)], [failure(0, 1), failure(1, 1)], RuntimeError, "ValueError: a bug"),
        ([], [failure(0, 3)], RuntimeError, "of 3 training processes failed: rank 0 with exit code 3"),
        ([(0, STOPPED)], [failure(0, 130), failure(1, -signal.SIGKILL)], MachineError, "process 1 of 3 .* by SIGKILL"),
        ([(0, STOPPED), (1, USERS)], [failure(0, 130), failure(1, 6)], DivergenceError, "loss nan"),
        ([(1, ValueError("a bug")), (0, STOPPED)], [failure(0, 130), failure(1, 1)], RuntimeError, "ValueError: a bug"),
        ([(0, STOPPED), (1, BROKEN)], [failure(0, 130), failure(1, 1)], InterruptionError, "stopped by SIGTERM"),
    ],
    ids=["killed", "killed first", "a user's", "a user's later", "a bug", "silent", *("stopped",) * 4],
)
def test_the_root_cause_is_raised(
    reports: list[tuple[int, Exception]], failures: list[ProcessFailure], kind: type[Exception], message: str
) -> None:
    error = _cause([report(rank, each) for rank, each in reports], failures, 3)
    assert type(error) is kind
    assert isinstance(error, UserError) or kind is RuntimeError
    with pytest.raises(kind, match=message):
        raise error


def test_of_equal_errors_that_of_the_main_process_is_raised() -> None:
    two = [report(1, USERS), report(0, DivergenceError("loss nan, saved", hint="lower it"))]
    assert "loss nan, saved" in str(_cause(two, [failure(0, 6), failure(1, 6)], 2))
