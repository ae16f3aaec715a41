"""Connectivity check of the default remote: `python src/gogooku3 recovery.doctor.probe ROOT` prints JSON lines.

It runs as a separate process that `remote` can kill after a timeout: the client libraries' threads do not stop, and
would delay the exit of `doctor`.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from gogooku3.errors import UserError
from gogooku3.recovery.storage.open import open_remote

_METADATA = "169.254.169.254"
"""Address of the metadata server from which a Google Cloud VM gets its credentials; elsewhere it is unreachable, or
another service answers."""
_FLAVOR = {"Metadata-Flavor": "Google"}


def main(root: Path) -> None:
    """Prints an empty line, `{"retry": …}` for each failed attempt, then `{"reached": …}` or `{"refused": …}`."""
    print(flush=True)  # noqa: T201  (from here on the remote is asked)
    if not _on_google_vm():
        os.environ["NO_GCE_CHECK"] = "true"  # otherwise the client libraries look for a metadata server for up to 15 s
    client = logging.getLogger("gcsfs")
    client.addHandler(_RetryReporter())
    client.setLevel(logging.DEBUG)
    try:
        _print_json(reached=open_remote(root).name)
    except UserError as error:
        _print_json(refused=error.message)


def _on_google_vm() -> bool:
    try:
        with closing(HTTPConnection(_METADATA, timeout=1)) as connection:
            connection.request("GET", "/", headers=_FLAVOR)
            return _FLAVOR.items() <= dict(connection.getresponse().getheaders()).items()
    except (OSError, HTTPException):
        return False


def _print_json(**message: str) -> None:
    print(json.dumps(message), flush=True)  # noqa: T201  (the process reports on stdout)


class _RetryReporter(logging.Handler):
    """Log handler that prints the reason of each retry of the client library."""

    def emit(self, record: logging.LogRecord) -> None:
        _, mark, reason = record.getMessage().partition("retrying after exception: ")
        if mark:
            _print_json(retry=reason)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    os._exit(0)
