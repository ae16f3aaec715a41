"""`lineage.json`: provenance of a model, the released base model that training started from, with its SHA-256."""

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
    """A released model from which training started (base model)."""

    tag: str
    commit: str
    model_sha256: str


@dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))
class Lineage:
    """Starting point of a training run."""

    start_from: Parent | None
    """None if trained from scratch."""


def write_lineage(parent: Parent | None, folder: Path) -> None:
    """Writes `lineage.json` into a folder."""
    write_json(asdict(Lineage(parent)), folder / LINEAGE)


def read_lineage(folder: Path) -> Parent | None:
    """The base model of the model in a folder; None if it was trained from scratch.

    Raises:
        DataError: `lineage.json` is missing or invalid.
    """
    path = folder / LINEAGE
    try:
        return TypeAdapter(Lineage).validate_json(path.read_bytes()).start_from
    except FileNotFoundError:
        raise DataError(f"`{path}` does not exist", hint=f"`gogooku3 locate {path}` shows where a copy is") from None
    except ValidationError:
        raise DataError(
            f"`{path}` does not name the base model of the training", hint="pull it again, or retrain"
        ) from None
