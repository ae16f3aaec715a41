"""`environment.json`: what decides the bits of a package's predictions, and how to set it up again.

Reads nothing but JSON, so that the numerics can be pinned before NumPy and torch are loaded.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import TypeAdapter

from gogooku3.config.numerics import Numerics
from gogooku3.errors import DataError

ENVIRONMENT = "environment.json"

_UNNAMED = {"precision": "float32", "processes": 1, "shares": 1, "reduction": "fixed"}
"""What a package was made with that does not name them: it is older than the choice, or they decided nothing."""


def read_numerics(package: Path) -> Numerics:
    """The numerics under which a package's predictions are exact; raises `DataError` when it does not say."""
    path = package / ENVIRONMENT
    try:
        content = json.loads(path.read_text(encoding="utf-8"))["numerics"]
        return TypeAdapter(Numerics).validate_json(json.dumps(_UNNAMED | content))
    except FileNotFoundError:
        raise DataError(
            f"`{path}` is not there: `{package}` is not a package",
            hint=f"name a package's folder, such as `models/package`; `gogooku3 locate {package}` says who has it",
        ) from None
    except (ValueError, KeyError, TypeError):
        raise DataError(f"`{path}` does not name the numerics", hint="fetch the package anew") from None
