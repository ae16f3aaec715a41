"""`MANIFEST.json`, an archive's first member: the release, and every other member in order, with checksums.

A manifest has one canonical encoding, and no other is accepted: archives are byte-identical wherever they are made, and
a manifest with any other byte was not made by `archive create`.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from gogooku3.errors import DataError
from gogooku3.recovery.provenance.objects import LARGEST
from gogooku3.recovery.releases.tags import VERSION_TAG, marks_best
from gogooku3.recovery.storage.lock import OBJECT

FORMAT: Final = 1
WITH_PROVENANCE: Final = 2
"""The format with the provenance of the release."""
MANIFEST = "MANIFEST.json"
README = "README.md"
SCRIPT = "restore.py"
BUNDLE = "repository.bundle"
REQUIREMENTS = "requirements.lock"
DOCUMENTS = (README, SCRIPT, BUNDLE, REQUIREMENTS)
"""The members between the manifest and the objects, in this order; then `PROVENANCE`, if the release has one."""
PROVENANCE = "provenance.json"
STORE = "store"
"""A folder in the layout of a DVC remote."""

_CHECKED = ConfigDict(extra="forbid", strict=True)
_Sha256 = Annotated[str, Field(pattern=r"\A[0-9a-f]{64}\z")]
_Object = Annotated[str, Field(pattern=rf"\A{OBJECT}\z")]


@dataclass(frozen=True, config=_CHECKED)
class Member:
    """A file of an archive."""

    path: str
    size: Annotated[int, Field(ge=0, lt=1 << 60)]
    sha256: _Sha256

    @property
    def object(self) -> str | None:
        """The object's name; None for a document."""
        return None if self.path in (*DOCUMENTS, PROVENANCE) else "".join(self.path.split("/")[-2:])


@dataclass(frozen=True, config=_CHECKED)
class Manifest:
    """The release in an archive, and the archive's members."""

    format: Literal[1, 2]
    tag: str
    stage_tag: str | None
    """The tag that marks the release as the best of its tier; None if it was not the best."""
    commit: Annotated[str, Field(pattern=r"\A[0-9a-f]{40}\z")]
    model_sha256: _Sha256
    outputs: dict[str, _Object]
    """The object of every cached output, by the output's path."""
    files: tuple[Member, ...]
    """Every member after the manifest, in order: the documents, then the objects by name."""

    def encode(self) -> bytes:
        """The bytes of `MANIFEST.json`."""
        return (json.dumps(asdict(self), indent=1) + "\n").encode()

    @property
    def documents(self) -> tuple[Member, ...]:
        """The members that are not objects."""
        return self.files[: len(DOCUMENTS) + (self.format == WITH_PROVENANCE)]

    @property
    def provenance(self) -> Member | None:
        """The provenance of the release; None if it has none."""
        return self.files[len(DOCUMENTS)] if self.format == WITH_PROVENANCE else None

    @property
    def objects(self) -> dict[str, Member]:
        """The members that are objects, by the objects' names."""
        return {member.object: member for member in self.files if member.object is not None}


def member_path(oid: str) -> str:
    """The path of an object: in a folder named by the first two digits of its hash."""
    return f"{STORE}/files/md5/{oid[:2]}/{oid[2:]}"


def decode(content: bytes) -> Manifest:
    """Reads a manifest; raises `DataError` if it is not valid."""
    try:
        if (number := json.loads(content).get("format")) not in (FORMAT, WITH_PROVENANCE):
            raise DataError(
                f"the archive has format {number!r}; this version of gogooku3 reads {FORMAT} and {WITH_PROVENANCE}",
                hint="restore it without gogooku3, as the archive's own `README.md` describes",
            )
        manifest = TypeAdapter(Manifest).validate_json(content)
    except (ValueError, AttributeError, RecursionError) as error:
        raise _invalid(_first(error)) from None
    if problem := _problem(manifest):
        raise _invalid(problem)
    if manifest.encode() != content:
        raise _invalid("it is not in the canonical encoding")
    return manifest


def _problem(manifest: Manifest) -> str | None:
    """The first inconsistency among a manifest's entries; None if there is none."""
    version = VERSION_TAG.fullmatch(manifest.tag)
    if version is None or version["cancel"] or version["counter"]:
        return f"{manifest.tag!r} is not a version tag"
    if manifest.stage_tag is not None and not marks_best(manifest.stage_tag, version["tier"]):
        return f"{manifest.stage_tag!r} does not mark the best of {version['tier']!r}"
    expected = (*DOCUMENTS, PROVENANCE) if manifest.format == WITH_PROVENANCE else DOCUMENTS
    if tuple(member.path for member in manifest.files[: len(expected)]) != expected:
        return f"it does not begin with {', '.join(expected)}"
    if manifest.provenance is not None and manifest.provenance.size > LARGEST:
        return f"its provenance has {manifest.provenance.size:,} bytes"
    objects = manifest.files[len(expected) :]
    for member in objects:
        if not re.fullmatch(OBJECT, member.object or "") or member.path != member_path(member.object or ""):
            return f"{member.path!r} is not the path of an object"
    names = [member.object or "" for member in objects]
    if names != sorted(set(names)):
        return "its objects are not in order"
    if not set(names).issuperset(manifest.outputs.values()):
        return "an output's object is not among its files"
    return None if list(manifest.outputs) == sorted(manifest.outputs) else "its outputs are not in order"


def _first(error: Exception) -> str:
    """The first error, in one line."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    return " ".join(str(error).split())


def _invalid(reason: str) -> DataError:
    return DataError(
        f"`{MANIFEST}` is not the manifest of an archive: {reason}",
        hint="use another copy of the file, made by `gogooku3 archive create`",
    )
