"""Forged and damaged archives are refused, and no files are left behind."""

from __future__ import annotations

import copy
import gzip
import hashlib
import io
import json
import random
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gogooku3.errors import DataError, MismatchError, UserError
from gogooku3.recovery.archive.manifest import member_path
from gogooku3.recovery.archive.read import extracted_store, open_archive
from gogooku3.recovery.archive.release import listing
from gogooku3.recovery.archive.restore import restore

TAG = "tier1@v1.1.0"
README = "models/package/README.md"
ALTERED = "was altered"
TRUNCATED = "is truncated"
FOREIGN = "is not an archive of a release"


def refused(file: Path, target: Path, error: type[UserError], says: str) -> None:
    """Every command that reads the file fails with one message and creates no files."""
    before = sorted(target.parent.rglob("*"))
    with pytest.raises(error, match=says) as raised:
        restore(file, target / "back")
    assert "\n" not in raised.value.message
    assert "Error(" not in raised.value.message
    assert sorted(target.parent.rglob("*")) == before


@pytest.fixture
def target(tmp_path: Path) -> Path:
    made = tmp_path / "target"
    made.mkdir()
    return made


# Tars that differ from the one that the manifest requires.

Members = list[tuple[tarfile.TarInfo, bytes]]


def rewritten(file: Path, target: Path, change: Callable[[Members], object]) -> Path:
    """The archive with edited members, written by Python's tar writer."""
    with tarfile.open(fileobj=io.BytesIO(file.read_bytes()), mode="r:") as tar:
        members = [(member, tar.extractfile(member).read()) for member in tar.getmembers()]
    change(members)
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content) if info.isreg() else None)
    with target.open("ab") as tar_file:  # as long as before: the length alone shall not decide
        tar_file.write(bytes(max(file.stat().st_size - target.stat().st_size, 0)))
    return target


def header(**values: Any) -> Callable[[Members], None]:
    """Replaces the header of the first object."""

    def change(members: Members) -> None:
        for key, value in values.items():
            setattr(members[6][0], key, value)

    return change


def added(at: int, name: str) -> Callable[[Members], None]:
    def change(members: Members) -> None:
        info = copy.copy(members[1][0])
        info.name = name
        members.insert(at, (info, members[1][1]))

    return change


def swapped(members: Members) -> None:
    members[7], members[8] = members[8], members[7]


def lost(members: Members) -> None:
    del members[8]


MEMBERS = {
    "nothing changed": (lambda members: None, None),
    "name leads out": (header(name="../x"), r"it has a file '\.\./x'"),
    "name is absolute": (header(name="/tmp/x"), "it has a file '/tmp/x'"),
    "path of a second header leads out": (header(pax_headers={"path": "../x"}), None),
    "symbolic link": (header(type=tarfile.SYMTYPE, linkname="/etc/passwd"), None),
    "symbolic link of no size": (header(type=tarfile.SYMTYPE, linkname="/etc/passwd", size=0), None),
    "hard link": (header(type=tarfile.LNKTYPE, linkname="README.md"), None),
    "device": (header(type=tarfile.CHRTYPE, devmajor=1, devminor=5), None),
    "folder": (header(type=tarfile.DIRTYPE), None),
    "mode": (header(mode=0o4755), "it has a file 'store/files"),
    "owner": (header(uid=1, uname="me"), "it has a file 'store/files"),
    "time": (header(mtime=1), "it has a file 'store/files"),
    "one more at the end": (added(99, "x"), None),
    "one more between": (added(6, "x"), None),
    "the same twice": (added(2, "README.md"), None),
    "one lost": (lost, None),
    "another order": (swapped, "it has a file 'store/files"),
}


@pytest.mark.parametrize("kind", MEMBERS)
def test_members_are_those_of_the_manifest_in_its_order(
    archived: Path, tmp_path: Path, target: Path, kind: str
) -> None:
    change, says = MEMBERS[kind]
    forged = rewritten(archived, tmp_path / "forged.tar", change)
    if kind == "nothing changed":
        assert forged.read_bytes() == archived.read_bytes()
    else:
        refused(forged, target, DataError, rf"{ALTERED}.*{says or ''}")


def claiming(content: bytes, at: int) -> bytes:
    """Sets the size in a header to a terabyte, with a valid header checksum."""
    info = tarfile.TarInfo.frombuf(content[at : at + 512], "utf-8", "strict")
    info.size = 1 << 40
    return content[:at] + info.tobuf(tarfile.GNU_FORMAT) + content[at + 512 :]


def second_header(content: bytes) -> int:
    return content.index(b"README.md\0")


BYTES = {
    "nothing": (lambda content: b"", FOREIGN),
    "text": (lambda content: b"not an archive\n" * 100, FOREIGN),
    "zeros": (lambda content: bytes(len(content)), FOREIGN),
    "compressed": (gzip.compress, FOREIGN),
    "another tar": (lambda content: content[second_header(content) :], FOREIGN),
    "first header alone": (lambda content: content[:512], TRUNCATED),
    "half": (lambda content: content[: len(content) // 2], TRUNCATED),
    "one byte short": (lambda content: content[:-1], TRUNCATED),
    "one record short": (lambda content: content[:-10240], TRUNCATED),
    "one byte long": (lambda content: content + b"\0", ALTERED),
    "two in one": (lambda content: content + content, ALTERED),
    "manifest claims a terabyte": (lambda content: claiming(content, 0), f"{ALTERED}|{FOREIGN}"),
    "member claims a terabyte": (lambda content: claiming(content, second_header(content)), ALTERED),
}


@pytest.mark.parametrize("kind", BYTES)
def test_a_truncated_extended_or_other_file_is_refused(archived: Path, tmp_path: Path, target: Path, kind: str) -> None:
    change, says = BYTES[kind]
    (tmp_path / "forged.tar").write_bytes(change(archived.read_bytes()))
    refused(tmp_path / "forged.tar", target, DataError, says)


def test_any_one_byte_that_changed_is_found(archived: Path, tmp_path: Path) -> None:
    content = archived.read_bytes()
    forged = tmp_path / "forged.tar"
    drawn = random.Random(0)
    for at in sorted({*drawn.sample(range(len(content)), 400), 0, 511, len(content) - 1}):
        forged.write_bytes(content[:at] + bytes([content[at] ^ drawn.randrange(1, 256)]) + content[at + 1 :])
        with pytest.raises(DataError), open_archive(forged) as archive:
            archive.check()


def test_a_folder_or_a_missing_file_is_not_an_archive(tmp_path: Path, target: Path) -> None:
    refused(tmp_path, target, DataError, "is not a file")
    refused(tmp_path / "absent.tar", target, DataError, "is not a file")


# Forged manifests that agree with their tar.


def raw(edit: Callable[[Any], object]) -> Callable[[Any], None]:
    """Edits `MANIFEST.json` alone."""

    def change(forgery: Any) -> None:
        content = json.loads(forgery.members["MANIFEST.json"])
        edit(content)
        forgery.members["MANIFEST.json"] = (json.dumps(content, indent=1) + "\n").encode()

    return change


def named(name: str) -> Callable[[Any], None]:
    """Renames the last object in manifest and tar."""

    def change(forgery: Any) -> None:
        last = list(forgery.members)[-1]
        forgery.members = {name if key == last else key: value for key, value in forgery.members.items()}
        raw(lambda manifest: manifest["files"][-1].update(path=name))(forgery)

    return change


def moved_output(path: str) -> Callable[[Any], None]:
    def change(forgery: Any) -> None:
        outputs = dict(forgery.manifest.outputs)
        outputs[path] = outputs.pop(README)
        forgery.restate(outputs=dict(sorted(outputs.items())))

    return change


def duplicated(manifest: Any) -> None:
    manifest["files"].append(manifest["files"][-1])


def swapped_entries(manifest: Any) -> None:
    manifest["files"][-1], manifest["files"][-2] = manifest["files"][-2], manifest["files"][-1]


def altered_bundle(forgery: Any) -> None:
    bundle = bytearray(forgery.members["repository.bundle"])
    bundle[-100] ^= 1
    forgery.put("repository.bundle", bytes(bundle))


def no_bundle(forgery: Any) -> None:
    forgery.put("repository.bundle", b"# v2 git bundle\n")


def altered_object(forgery: Any) -> None:
    path = member_path(forgery.manifest.outputs[README])
    forgery.put(path, forgery.members[path] + b"more\n")


def stray_object(forgery: Any) -> None:
    forgery.add_object(hashlib.md5(b"stray\n").hexdigest(), b"stray\n")


def lost_child(forgery: Any) -> None:
    """Removes the only file of `data/quotes` from tar and manifest."""
    listing = json.loads(forgery.members[member_path(forgery.manifest.outputs["data/quotes"])])
    forgery.lose_object(listing[0]["md5"])


def without_provenance(forgery: Any) -> None:
    manifest = forgery.manifest
    del forgery.members["provenance.json"]
    forgery.restate(format=1, files=tuple(file for file in manifest.files if file.path != "provenance.json"))


def another_object(forgery: Any) -> None:
    """Replaces an output by other bytes under their own hash."""
    oid = hashlib.md5(b"forged\n").hexdigest()
    forgery.replace_object(forgery.manifest.outputs[README], oid, b"forged\n")


MANIFESTS: dict[str, tuple[Callable[[Any], None], type[UserError], str]] = {
    "no JSON": (lambda f: f.members.update({"MANIFEST.json": b"{"}), DataError, "not the manifest of an archive"),
    "no object": (lambda f: f.members.update({"MANIFEST.json": b"[]"}), DataError, "not the manifest of an archive"),
    "too deep": (lambda f: f.members.update({"MANIFEST.json": b"[" * 99999}), DataError, "not the manifest"),
    "written otherwise": (
        lambda f: f.members.update({"MANIFEST.json": f.members["MANIFEST.json"] + b"\n"}),
        DataError,
        "not in the canonical encoding",
    ),
    "another format": (raw(lambda m: m.update(format=3)), DataError, "has format 3; .* reads 1 and 2"),
    "an unknown entry": (raw(lambda m: m.update(more=1)), DataError, "more: "),
    "a size that is text": (raw(lambda m: m["files"][0].update(size="9")), DataError, r"files\.0\.size: "),
    "a size below zero": (raw(lambda m: m["files"][-1].update(size=-512)), DataError, "size: "),
    "a size without end": (raw(lambda m: m["files"][-1].update(size=10**4299)), DataError, "size: "),
    "an object that is not there": (
        raw(lambda m: m["outputs"].update({README: "0" * 32})),
        DataError,
        "an output's object is not among its files",
    ),
    "outputs in another order": (
        raw(lambda m: m.update(outputs=dict(reversed(m["outputs"].items())))),
        DataError,
        "its outputs are not in order",
    ),
    "a size of a terabyte": (
        raw(lambda m: m["files"][-1].update(size=1 << 40)),
        DataError,
        TRUNCATED,
    ),
    "another size": (raw(lambda m: m["files"][-1].update(size=m["files"][-1]["size"] - 1)), DataError, ALTERED),
    "another hash": (raw(lambda m: m["files"][-1].update(sha256="0" * 64)), DataError, "has SHA-256"),
    "the same twice": (raw(duplicated), DataError, "not in order"),
    "another order": (raw(swapped_entries), DataError, "not in order"),
    "a name that leads out": (named("../x"), DataError, r"'\.\./x' is not the path of an object"),
    "a name that leads out of the store": (
        named("store/files/md5/../../../x"),
        DataError,
        "is not the path of an object",
    ),
    "an absolute name": (named("/tmp/x"), DataError, "'/tmp/x' is not the path of an object"),
    "a name beside the store": (named("x"), DataError, "'x' is not the path of an object"),
    "an output that leads out": (moved_output("../x"), MismatchError, "have different objects for"),
    "an output elsewhere": (moved_output("models/x"), MismatchError, "have different objects for"),
    "a tag that is none": (raw(lambda m: m.update(tag="-x")), DataError, "'-x' is not a version tag"),
    "another tag": (raw(lambda m: m.update(tag="tier1@v1.0.0")), MismatchError, "its Git bundle has"),
    "no stage tag": (raw(lambda m: m.update(stage_tag=None)), MismatchError, "its Git bundle has"),
    "another tier's stage": (
        raw(lambda m: m.update(stage_tag="tier2#best#2")),
        DataError,
        "does not mark the best of 'tier1'",
    ),
    "another stage": (
        raw(lambda m: m.update(stage_tag="tier1#prod#2")),
        DataError,
        "does not mark the best of 'tier1'",
    ),
    "another commit": (raw(lambda m: m.update(commit="0" * 40)), MismatchError, "unlike the manifest"),
    "another model": (raw(lambda m: m.update(model_sha256="0" * 64)), MismatchError, "unlike the manifest"),
    "a bundle altered": (altered_bundle, DataError, "Git bundle of the archive cannot be read"),
    "a bundle of nothing": (no_bundle, UserError, "bundle"),
    "other libraries": (lambda f: f.put("requirements.lock", b"evil==1\n"), MismatchError, "is not that of its commit"),
    "another provenance": (lambda f: f.put("provenance.json", b"{}\n"), MismatchError, "names the provenance"),
    "no provenance": (without_provenance, MismatchError, "names the provenance"),
    "an object altered": (altered_object, DataError, "has MD5"),
    "an object replaced": (another_object, MismatchError, "have different objects for `models/package/README.md`"),
    "a stray object": (stray_object, MismatchError, "is not part of an output"),
    "a lost child": (lost_child, MismatchError, "is missing"),
}


@pytest.mark.parametrize("kind", MANIFESTS)
def test_a_manifest_is_compared_with_the_release(
    forge: Callable[[Callable[[Any], object]], Path], target: Path, kind: str
) -> None:
    change, error, says = MANIFESTS[kind]
    refused(forge(change), target, error, says)


def test_a_forged_object_is_refused_by_every_reader(
    forge: Callable[[Callable[[Any], object]], Path],
) -> None:
    forged = forge(altered_object)
    with pytest.raises(DataError, match="has MD5"), extracted_store(forged):
        pass
    assert listing(forged)
    with pytest.raises(DataError, match="has MD5"):
        listing(forged, check=True)
    shutil.rmtree(forged.parent)
