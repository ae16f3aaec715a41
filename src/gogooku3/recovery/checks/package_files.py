"""The inputs of the checks: a package's parsed files, and a dataset and a lock file to compare them with."""

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

# DVC checks out a corrupt cache file as it is, and then takes the copy in the working tree for intact.
FETCH = (
    "repair the cache with `gogooku3 audit --local --repair`, then remove the damaged files and `dvc pull package`,"
    " or recover the release: `gogooku3 recover TAG --from URL --to DIR`"
)


@dataclass(frozen=True)
class PackageFiles:
    """A package's folder and its parsed files; each property raises `UserError` if a file is damaged."""

    package: Path
    dataset: Path | None
    lock: Path | None
    variables: Collection[str]
    """Names of environment variables."""
    trusted_keys: Path | None = None
    """SSH keys in Git's allowed-signers format, one of which must have signed the release; None to accept any."""

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
