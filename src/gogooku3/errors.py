"""Every error that a user can meet: what happened, with which values, and what to do about it.

A stage or a command that raises one of these prints it without a traceback and exits with its code:

====  ==========================================================================
code  meaning
====  ==========================================================================
1     a check found something wrong, or a promotion was refused (`RefusedError`)
2     the configuration is wrong (`ConfigError`)
3     the data is wrong or absent (`DataError`)
4     this machine lacks what is asked for, a disk or folder cannot be used, or
      another clone's source is installed (`MachineError`)
5     a package, a model and a dataset do not belong together (`MismatchError`)
6     training produced numbers that are not finite (`DivergenceError`)
7     the bucket cannot be reached, or refuses (`StoreError`)
8     Git refuses (`GitError`)
9     J-Quants cannot be reached, or refuses (`SourceError`)
130   the process was asked to end (`InterruptionError`)
====  ==========================================================================
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any


class UserError(Exception):
    """What happened, with the values that matter, and a hint that says what to do."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}"

    def __reduce__(self) -> tuple[Any, ...]:
        """With its hint, so that an error can be passed from one process to another."""
        return partial(type(self), hint=self.hint), (self.message,)


class ConfigError(UserError):
    """A parameter is unknown, of the wrong type, or impossible beside another."""

    exit_code = 2


class DataError(UserError):
    """Bars, dataset or files do not hold what they must."""

    exit_code = 3


class MachineError(UserError):
    """A device, instruction set or library is not here, a disk or folder cannot be used, or another source runs."""

    exit_code = 4


class MismatchError(UserError):
    """A package, its weights, a schema and a dataset disagree."""

    exit_code = 5


class DivergenceError(UserError):
    """A loss, gradient or score stopped being finite."""

    exit_code = 6


class RefusedError(UserError):
    """A package that must not be released as it stands."""

    exit_code = 1


class StoreError(UserError):
    """A remote is not configured, cannot be reached, or refuses."""

    exit_code = 7


class GitError(UserError):
    """Git refused what it was asked."""

    exit_code = 8


class SourceError(UserError):
    """A source of data cannot be reached, or refuses."""

    exit_code = 9


class InterruptionError(UserError):
    """The process was asked to end, by Ctrl-C or by the system."""

    exit_code = 130


def filesystem_error(error: OSError) -> MachineError:
    """A full disk, a folder that may not be written to, a file that is none."""
    what = "the disk" if error.filename is None else f"`{error.filename}`"
    return MachineError(
        f"{what} cannot be used: {error.strerror or error}",
        hint="make room there, or name a place that you may read and write; what was finished stays",
    )


def abbreviate(items: Iterable[object], *, separator: str = ", ", limit: int = 5) -> str:
    """The first items in one line, and how many more there are: `a, b and 3 more`."""
    shown = [str(item) for item in items]
    more = f" and {len(shown) - limit} more" if len(shown) > limit else ""
    return separator.join(shown[:limit]) + more
