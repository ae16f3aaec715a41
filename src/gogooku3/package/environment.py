"""`environment.json`: the environment in which a package's predictions are bitwise reproducible.

Imports neither NumPy nor torch, so that the numerics can be pinned before they are loaded.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import TypeAdapter

from gogooku3.config.numerics import Numerics
from gogooku3.errors import DataError

ENVIRONMENT = "environment.json"

_DEFAULTS = {"precision": "float32", "processes": 1, "shares": 1, "reduction": "fixed"}
"""Values for entries that a package does not have: it is older than the option, or the option had no effect."""


def read_numerics(package: Path) -> Numerics:
    """The numerics under which a package's predictions are bitwise reproducible; raises `DataError` if not recorded."""
    path = package / ENVIRONMENT
    try:
        content = json.loads(path.read_text(encoding="utf-8"))["numerics"]
        return TypeAdapter(Numerics).validate_json(json.dumps(_DEFAULTS | content))
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(
            f"`{path}` does not exist: `{package}` is not a package",
            hint=f"name a package folder, such as `models/package`; `gogooku3 locate {package}` shows where a copy is",
        ) from None
    except (ValueError, KeyError, TypeError):
        raise DataError(f"`{path}` does not name the numerics", hint="fetch the package again") from None
