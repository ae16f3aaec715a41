"""What is verified: a package, and what is at hand to hold it against."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from torch import Tensor

from gogooku3.dataset.schema import Schema
from gogooku3.errors import UserError
from gogooku3.model.network import Architecture
from gogooku3.model.weights import WEIGHTS, read_architecture, read_tensors

# A cache file that was overwritten is delivered as it is, and DVC then takes the delivered copy for whole.
FETCH = (
    "`gogooku3 audit --local --repair` mends the cache; then remove the damaged files and `dvc pull package`,"
    " or bring the whole release: `gogooku3 recover TAG --from URL --to DIR`"
)


@dataclass(frozen=True)
class PackageFiles:
    """A package's folder with its files as they are read; each property raises `UserError` where a file is broken."""

    package: Path
    dataset: Path | None
    lock: Path | None
    variables: Collection[str]
    """Names of the variables in the environment."""

    @cached_property
    def weights(self) -> dict[str, Tensor]:
        """The tensors of `model.safetensors` by name."""
        return read_tensors(self.package / WEIGHTS)

    @cached_property
    def architecture(self) -> Architecture:
        """The content of `config.json`."""
        return read_architecture(self.package)

    @cached_property
    def schema(self) -> Schema:
        """The content of `schema.json`, its ABI recomputed."""
        try:
            return Schema.read(self.package / "schema.json")
        except UserError as error:
            raise type(error)(error.message, hint=FETCH) from None
