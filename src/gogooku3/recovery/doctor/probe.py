"""Asks the default remote for a sign of life: `python src/gogooku3 recovery.doctor.probe ROOT`, one JSON object a line.

A process of its own, because its clients' threads outlive any patience with them and would hold up the end of ours.
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
"""Where a virtual machine of Google's gets its credentials; elsewhere nobody, or somebody else, answers there."""
_FLAVOR = {"Metadata-Flavor": "Google"}


def main(root: Path) -> None:
    """Prints `{"heard": …}` for each failed try, then `{"reached": …}` or `{"refused": …}`."""
    if not _on_google():
        os.environ["NO_GCE_CHECK"] = "true"  # its clients would search for as long as 15 s
    client = logging.getLogger("gcsfs")
    client.addHandler(_Aloud())
    client.setLevel(logging.DEBUG)
    try:
        _say(reached=open_remote(root).name)
    except UserError as error:
        _say(refused=error.message)


def _on_google() -> bool:
    try:
        with closing(HTTPConnection(_METADATA, timeout=1)) as connection:
            connection.request("GET", "/", headers=_FLAVOR)
            return _FLAVOR.items() <= dict(connection.getresponse().getheaders()).items()
    except (OSError, HTTPException):
        return False


def _say(**what: str) -> None:
    print(json.dumps(what), flush=True)  # noqa: T201  (its only way out)


class _Aloud(logging.Handler):
    """Says why a client that keeps trying has failed."""

    def emit(self, record: logging.LogRecord) -> None:
        _, mark, words = record.getMessage().partition("retrying after exception: ")
        if mark:
            _say(heard=words)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    os._exit(0)
