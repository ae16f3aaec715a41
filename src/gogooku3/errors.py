"""User-facing errors with exit codes: what happened, with which values, and a hint that says what to do.

A stage or a command that raises one of these prints it without a traceback and exits with its code:

====  ==========================================================================
code  meaning
====  ==========================================================================
1     a check found something wrong, a promotion was refused, or another process
      does the same work (`RefusedError`)
2     the configuration is wrong (`ConfigError`)
3     the data is wrong or missing (`DataError`)
4     this machine lacks a device, a library or memory, a disk or folder cannot be
      used, or another clone's source is installed (`MachineError`)
5     a package, a model and a dataset do not match (`MismatchError`)
6     training diverged: NaN or infinity (`DivergenceError`)
7     the bucket is unreachable or denies a request (`StoreError`)
8     a Git command failed, or the Git remote is unreachable or refuses a tag
      (`GitError`)
9     J-Quants is unreachable or denies a request (`SourceError`)
10    nothing was compared: the tag has no readable record (`NOT_COMPARED`)
130   a signal stopped the process: Ctrl-C, SIGTERM, SIGHUP (`InterruptionError`)
====  ==========================================================================
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from functools import partial
from typing import Any

NOT_COMPARED = 10
"""Exit code of a recovery whose package is intact, but which has no record to compare the model with."""


class UserError(Exception):
    """Base class: a message with the values that matter, and a hint that says what to do."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles the hint too, so that an error can cross a process boundary."""
        return partial(type(self), hint=self.hint), (self.message,)


class ConfigError(UserError):
    """A parameter is unknown, has the wrong type, or conflicts with another one."""

    exit_code = 2


class DataError(UserError):
    """Bars, dataset or input files are missing, damaged or invalid."""

    exit_code = 3


class MachineError(UserError):
    """Device, library or memory is missing, a disk or folder is unusable, or another clone's source runs."""

    exit_code = 4


class MismatchError(UserError):
    """A package, its weights, a schema and a dataset do not match."""

    exit_code = 5


class DivergenceError(UserError):
    """A loss, gradient or score is NaN or infinite."""

    exit_code = 6


class RefusedError(UserError):
    """A check failed; a release, overwrite or foreign code is refused; or another process does the same work."""

    exit_code = 1


class StoreError(UserError):
    """A remote is not configured, is unreachable, or denies a request."""

    exit_code = 7


class GitError(UserError):
    """A Git command failed, or the Git remote is unreachable or refuses a tag."""

    exit_code = 8


class SourceError(UserError):
    """A data source is unreachable or denies a request."""

    exit_code = 9


class InterruptionError(UserError):
    """A signal stopped the process: Ctrl-C, or one from the system."""

    exit_code = 130


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})


def filesystem_error(error: OSError) -> MachineError:
    """Wraps an `OSError`: a full disk, a missing permission, a folder in place of a file."""
    disk, target = "the disk", "the disk"
    # A copy names its source first: what is full is the disk of its target.
    file = error.filename2 if error.errno in _FULL and error.filename2 is not None else error.filename
    if file is not None:
        disk, target = f"the disk of `{file}`", f"`{file}`"
    hint = "free some space, or choose a path that you can read and write; finished work is kept"
    if error.errno in _FULL:
        hint = f"free some space on {disk} (`df`, `quota`, `ulimit -f`), then run again: finished work is kept"
    elif error.errno in _DENIED:
        hint = "make it readable and writable for your user, or choose another path; finished work is kept"
    elif error.errno in _NO_LOCKS:
        hint = "its file system has no locks (`flock`): mount it with locks, or choose a path on another one"
    elif error.errno == errno.EPIPE:
        target, hint = "the standard output", "the program that read it has ended: send the output to a file"
    return MachineError(f"{target} cannot be used: {error.strerror or error}", hint=hint)


def abbreviate(items: Iterable[object], *, separator: str = ", ", limit: int = 5) -> str:
    """The first items on one line, and the number of others: `a, b and 3 more`."""
    shown = [str(item) for item in items]
    more = f" and {len(shown) - limit} more" if len(shown) > limit else ""
    return separator.join(shown[:limit]) + more
