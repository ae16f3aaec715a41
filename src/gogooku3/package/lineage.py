"""`lineage.json`: the released model that a model was trained from, named such that nothing else can pass for it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from gogooku3.errors import DataError
from gogooku3.runtime.files import write_json

LINEAGE = "lineage.json"


@dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))
class Parent:
    """A released model."""

    tag: str
    commit: str
    model_sha256: str


@dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))
class Lineage:
    """Where a training began."""

    start_from: Parent | None
    """None: from scratch."""


def write_lineage(parent: Parent | None, folder: Path) -> None:
    """Writes `lineage.json` into a folder."""
    write_json(asdict(Lineage(parent)), folder / LINEAGE)


def read_lineage(folder: Path) -> Parent | None:
    """The released model that the one in a folder was trained from, None for one from scratch.

    Raises:
        DataError: `lineage.json` is absent, or not what it must be.
    """
    path = folder / LINEAGE
    try:
        return TypeAdapter(Lineage).validate_json(path.read_bytes()).start_from
    except FileNotFoundError:
        raise DataError(f"`{path}` is not there", hint=f"`gogooku3 locate {path}` says who has it") from None
    except ValidationError:
        raise DataError(
            f"`{path}` does not say what the model was trained from", hint="fetch or make it anew"
        ) from None
