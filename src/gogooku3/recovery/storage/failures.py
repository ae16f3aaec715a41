"""Failures to access a store: of one object (`ObjectError`), or of the store as a whole (`StoreError`)."""

from __future__ import annotations

import errno
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from dvc.lock import LockError

from gogooku3.errors import MachineError, RefusedError, StoreError, UserError, filesystem_error
from gogooku3.recovery.storage.settings import without_password
from gogooku3.recovery.storage.timeouts import StallError
from gogooku3.runtime.faults import os_error

_THIS_MACHINE = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
)
_NOT_A_FILE = {
    errno.EISDIR: "it is a folder",
    errno.ELOOP: "it is a loop of symbolic links",
    errno.ENXIO: "it is a socket or a device",
    errno.ENOTDIR: "its folder is a file",
}
_PROTECTED = re.compile(r"retention ?policy|object retention|\bunder .*\bhold\b|underactivehold", re.IGNORECASE)
_REFUSED = re.compile(r"\b40[13]\b|forbidden|unauthori[sz]ed|permission denied|access denied", re.IGNORECASE)
_REPLACE = "or replace it by an intact copy: `gogooku3 audit --repair` (with `--local` in the local cache)"
_ROLE = "ask the bucket's owner for the role Storage Object User on it"


class NotAFileError(Exception):
    """A named pipe, a device or another special file in the place of an object."""


class ObjectError(StoreError):
    """One object cannot be read or written, while its store answers.

    Attributes:
        reason: why, in one line.
        writing: whether it was to be written.
        whole: the same failure as one of the whole store.
        shows_store: the number of objects that must fail, all of them, to show that the store fails; None if the reason
            can only be the object's.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str,
        reason: str = "",
        writing: bool = False,
        whole: StoreError | None = None,
        shows_store: int | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason
        self.writing = writing
        self.whole = whole
        self.shows_store = shows_store


def require_store(errors: list[ObjectError], asked: int) -> None:
    """Raises the `StoreError` of a store for which all requests for single objects failed.

    Args:
        asked: the number of objects that were requested.
    """
    if not errors or len(errors) < asked:
        return
    needed = [error.shows_store for error in errors]
    if errors[0].whole is not None and all(number is not None and asked >= number for number in needed):
        raise errors[0].whole from errors[0]


def store_error(name: str, error: Exception) -> StoreError:
    """An exception of a remote's client or of the file system as a one-line `StoreError`."""
    if isinstance(error, StallError):
        return StoreError(f"`{name}` gives {error}", hint=_hint(name))
    return StoreError(f"`{name}` cannot be used: {_reason(error)}", hint=_hint(name))


def missing_store(name: str) -> StoreError:
    """The error for a bucket or a remote's folder that does not exist."""
    return StoreError(f"`{name}` does not exist", hint="create it, or correct the remote's `url` in `.dvc/config`")


def machine_error(error: Exception, file: str | None = None) -> MachineError | None:
    """The error if this machine is the reason, such as a full disk; None if it is another.

    Args:
        error: of a client, of DVC or of the file system; the reason may be another exception that it stems from.
        file: the written file or folder, if the reason does not name one.
    """
    reason: BaseException | None = error
    while reason is not None:
        cause = os_error(reason)
        if cause is not None and cause.errno in _THIS_MACHINE:
            return filesystem_error(cause if cause.filename else OSError(cause.errno, cause.strerror, file))
        reason = reason.__cause__ or reason.__context__
    return None


@contextmanager
def machine_errors(folder: Path) -> Iterator[None]:
    """Context manager for DVC's work in a folder; raises the `MachineError` of an exception due to this machine.

    Raises `RefusedError` if another process has DVC's lock of the folder's repository.
    """
    try:
        yield
    except UserError:
        raise
    except LockError as error:
        reason = " ".join(str(error).split())
        raise RefusedError(
            f"another DVC command is running in `{folder}`: {reason}",
            hint="wait for its end, then run the same command again; `gogooku3 doctor` lists locks and who has them",
        ) from error
    except Exception as error:
        if machine := machine_error(error, str(folder)):
            raise machine from error
        raise


def object_error(name: str, path: str, error: Exception, *, writing: bool) -> ObjectError:
    """The failure of one object in a store that answers.

    Args:
        name: the store.
        path: the object's file or URL.
        error: the exception of the store's client or of the file system.
    """
    path, reason = without_password(path), _reason(error)
    own = _is_not_a_file(error) or (writing and _PROTECTED.search(reason) is not None)
    refused = is_url(name) and _REFUSED.search(reason) is not None
    return ObjectError(
        f"the object `{path}` cannot be {'written' if writing else 'read'}: {reason}",
        hint=_writing_hint(reason) if writing else _reading_hint(name, path, error, refused=refused),
        reason=reason,
        writing=writing,
        whole=store_error(name, error),
        shows_store=None if own else 1 if writing and refused else 2,
    )


def _is_not_a_file(error: Exception) -> bool:
    return isinstance(error, NotAFileError) or _code(error) in _NOT_A_FILE


def _code(error: Exception) -> int | None:
    return error.errno if isinstance(error, OSError) else None


def _reason(error: Exception) -> str:
    if isinstance(error, NotAFileError):
        return "it is a named pipe, a device or another special file"
    if isinstance(error, OSError) and error.strerror and error.errno is not None:
        return _NOT_A_FILE.get(error.errno) or error.strerror
    return without_password(" ".join(str(error).split())) or type(error).__name__


def _reading_hint(name: str, path: str, error: Exception, *, refused: bool) -> str:
    if not is_url(name):
        file = shlex.quote(path)
        if _is_not_a_file(error):
            return f"look at it (`ls -ld {file}`) and move it away, {_REPLACE}"
        if _code(error) in (errno.EACCES, errno.EPERM):
            return f"make it readable (`chmod u+r {file}`), {_REPLACE}"
        return f"check the disk or network folder (`dmesg`), {_REPLACE}"
    if refused:
        return f"{_ROLE if _is_google(name) else 'get access to it'}, {_REPLACE}"
    return f"run the same command again, {_REPLACE}"


def _writing_hint(reason: str) -> str:
    if _PROTECTED.search(reason):
        return (
            "a retention policy or a hold of the bucket protects the damaged object: run the same command again after"
            " its end, or ask the bucket's owner to remove it; until then `gogooku3 recover --also` takes the object"
            " from another source"
        )
    return f"{_ROLE}, or give yourself write access to the folder; then run the same command again"


def _hint(name: str) -> str:
    if not is_url(name):
        return "check that the folder is mounted, its disk is intact and you may read and write there"
    if _is_google(name):
        return (
            "check the network, the remote's `url` and `endpointurl`, that your credentials are valid"
            " (`gcloud auth application-default login`) and that they may read and write there"
        )
    return "check the network, the remote's `url`, and that its user and password or key may read and write there"


def is_url(name: str) -> bool:
    """Whether a store's name is a URL, not a folder."""
    return bool(urlsplit(name).scheme)


def _is_google(name: str) -> bool:
    return urlsplit(name).scheme in ("gs", "gcs")
