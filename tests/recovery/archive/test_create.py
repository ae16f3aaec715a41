"""`archive create`: a complete release in one file, byte-identical from every clone."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gogooku3.errors import DataError, GitError, MismatchError
from gogooku3.recovery.archive.create import create
from gogooku3.recovery.archive.manifest import DOCUMENTS, PROVENANCE, decode
from gogooku3.recovery.archive.read import open_archive
from gogooku3.recovery.releases import git, tag_objects, tags
from gogooku3.recovery.storage import lock
from gogooku3.recovery.storage.listing import entries
from gogooku3.runtime.files import sha256_file

TAG = "tier1@v1.1.0"


def test_it_has_every_object_of_every_output_in_its_manifest(released: Any, archived: Path) -> None:
    with tarfile.open(archived, "r:") as tar:
        members = tar.getmembers()
        contents = {member.name: tar.extractfile(member).read() for member in members}
    needed = set()
    for output in lock.outputs(released.folder, TAG):
        needed.add(output.md5)
        if output.is_dir:
            cached = released.folder / ".dvc/cache/files/md5" / output.md5[:2] / output.md5[2:]
            needed |= {entry.md5 for entry in entries(output.md5, cached.read_bytes())}
    objects = [f"store/files/md5/{oid[:2]}/{oid[2:]}" for oid in sorted(needed)]
    assert [member.name for member in members] == ["MANIFEST.json", *DOCUMENTS, PROVENANCE, *objects]
    facts = {(m.uid, m.gid, m.uname, m.gname, m.mode, m.type) for m in members}
    assert facts == {(0, 0, "", "", 0o644, tarfile.REGTYPE)}

    manifest = decode(contents["MANIFEST.json"])
    for file in manifest.files:
        content = contents[file.path]
        assert (file.size, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    for path in objects:
        name = path[-33:].replace("/", "") if not path.endswith(".dir") else path[-37:-4].replace("/", "")
        assert hashlib.md5(contents[path]).hexdigest() == name
    assert manifest.commit == git.commit_of(released.folder, TAG)
    assert (manifest.tag, manifest.stage_tag) == (TAG, "tier1#best#2")
    assert manifest.model_sha256 == sha256_file(released.folder / "models/package/model.safetensors")


def elsewhere(lab: Any, name: str, *options: str) -> Any:
    """A clone next to the test repository, with the same bucket and an empty cache."""
    clone = type(lab)(lab.folder.parent / name, lab.make)
    lab.run("git", "clone", "--quiet", *options, f"file://{lab.folder}", str(clone.folder))
    clone.run("git", "config", "user.name", "Somebody else")
    clone.run("git", "config", "user.email", "else@example.com")
    return clone


@pytest.mark.parametrize("make", [Path.mkdir, lambda file: file.symlink_to("/proc/self/mem")], ids=["folder", "EIO"])
def test_an_object_that_the_cache_does_not_give_comes_from_the_remote(
    released: Any, archived: Path, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    lab = released.copy(tmp_path)
    oid = {output.path: output.md5 for output in lock.outputs(lab.folder, TAG)}["models/package/model.safetensors"]
    file = lab.folder / ".dvc/cache/files/md5" / oid[:2] / oid[2:]
    file.unlink()
    make(file)
    assert create(lab.folder, "tier1", tmp_path / "archive.tar").sha256 == sha256_file(archived)


def packed(lab: Any) -> Any:
    clone = elsewhere(lab, "packed")
    clone.run("git", "gc", "--quiet", "--aggressive")
    clone.run("git", "commit-graph", "write")
    return clone


def loose(lab: Any) -> Any:
    clone = elsewhere(lab, "loose")
    packs = list((clone.folder / ".git/objects/pack").glob("*.pack"))
    for pack in packs:
        moved = pack.rename(clone.folder / pack.name)
        with moved.open("rb") as stream:
            subprocess.run(["git", "unpack-objects", "-q"], cwd=clone.folder, stdin=stream, check=True)
        moved.unlink()
    for place in ("HEAD", "HEAD~1"):
        clone.run("git", "branch", f"work-{place[-1]}", place)
        clone.run("git", "tag", f"tag-{place[-1]}", place)
    (clone.folder / "more.txt").write_text("more\n")
    clone.commit("More")
    return clone


def of_one_tag(lab: Any) -> Any:
    """A repository that fetched only the version tag."""
    clone = elsewhere(lab, "of-one-tag", "--no-tags")
    clone.run("git", "fetch", "--quiet", "--no-tags", "origin", f"refs/tags/{TAG}:refs/tags/{TAG}")
    return clone


def deepened(lab: Any) -> Any:
    clone = elsewhere(lab, "deepened", "--depth=1")
    clone.run("git", "fetch", "--quiet", "--unshallow", "--tags")
    return clone


@pytest.mark.parametrize("clone", [packed, loose, of_one_tag, deepened], ids=lambda clone: clone.__name__)
def test_the_same_bytes_from_another_clone(
    released: Any, archived: Path, tmp_path: Path, clone: Callable[[Any], Any]
) -> None:
    lab = clone(released.copy(tmp_path))
    assert create(lab.folder, TAG, tmp_path / "again.tar").sha256 == sha256_file(archived)


SETTINGS = """
[core]
    compression = 0
    bigFileThreshold = 1
[pack]
    window = 1
    depth = 1
    threads = 4
    compression = 1
    packSizeLimit = 1m
[fetch]
    writeCommitGraph = true
"""


def test_the_same_bytes_for_another_user_with_other_settings(released: Any, archived: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/.gitconfig").write_text(SETTINGS)
    environment = f"HOME={tmp_path / 'home'} TZ=Asia/Tokyo LC_ALL=C"
    done = released.run(
        "sh", "-c", f"umask 077; {environment} gogooku3 archive create tier1 --output {tmp_path}/it.tar"
    )
    assert (tmp_path / "it.tar").read_bytes() == archived.read_bytes()
    assert sha256_file(archived) in done.stdout
    assert (tmp_path / "it.tar").stat().st_mode & 0o777 == 0o600


def test_missing_or_damaged_objects_of_the_cache_come_from_the_bucket(
    released: Any, archived: Path, tmp_path: Path
) -> None:
    lab = released.copy(tmp_path)
    first, second, *_ = sorted((lab.folder / ".dvc/cache/files/md5").glob("*/*"))
    first.unlink()
    second.chmod(0o644)
    second.write_bytes(second.read_bytes()[:-1] + b"?")
    second.chmod(0o444)
    assert create(lab.folder, TAG, tmp_path / "again.tar").sha256 == sha256_file(archived)


def test_an_object_without_an_intact_copy_is_named_and_nothing_is_written(released: Any, tmp_path: Path) -> None:
    lab = released.copy(tmp_path)
    oid = next(o.md5 for o in lock.outputs(lab.folder, TAG) if o.path == "models/package/golden/inputs.safetensors")
    for store in (lab.bucket, lab.folder / ".dvc/cache"):
        (store / "files/md5" / oid[:2] / oid[2:]).unlink()
    (tmp_path / "to").mkdir()
    with pytest.raises(DataError, match=f"models/package/golden/inputs.safetensors` \\({oid}\\): missing in"):
        create(lab.folder, TAG, tmp_path / "to/it.tar")
    assert not list((tmp_path / "to").iterdir())


def test_the_file_is_named_after_the_tag_and_never_overwritten(
    released: Any, archived: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert create(released.folder, "tier1").file == f"{TAG}.tar"
    (tmp_path / f"{TAG}.tar").write_text("mine")
    with pytest.raises(DataError, match=r"`tier1@v1\.1\.0\.tar` exists"):
        create(released.folder, "tier1")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def retag(lab: Any, edit: Callable[[str], str]) -> None:
    """Moves the tag to HEAD with an edited message, as a forger would."""
    tag = tags.find(lab.folder, TAG).tag
    content = tag_objects.new_object(lab.folder, TAG, git.commit_of(lab.folder, "HEAD"), edit(tag.message))
    git.run(lab.folder, "tag", "--delete", TAG)
    tag_objects.create_tags(lab.folder, {TAG: content})


def without_record(lab: Any) -> None:
    retag(lab, lambda message: message.partition("record: ")[0])


def of_another_model(lab: Any) -> None:
    own = sha256_file(lab.folder / "models/package/model.safetensors")
    retag(lab, lambda message: message.replace(own, "0" * 64))


def with_a_link(lab: Any) -> None:
    (lab.folder / "out").symlink_to("/tmp")
    lab.commit("A link")
    retag(lab, lambda message: message)


def with_a_stage_of_another_tier(lab: Any) -> None:
    retag(lab, lambda message: message.replace("tier1#best#2", "tier2#best#2"))


def without_its_libraries(lab: Any) -> None:
    (lab.folder / "requirements.lock").unlink()
    lab.commit("No lock")
    retag(lab, lambda message: message)


def shallow(lab: Any) -> None:
    """Replaces the test repository by a shallow clone."""
    clone = elsewhere(lab, "shallow", "--depth=1")
    lab.run("rm", "-r", ".git")
    (clone.folder / ".git").rename(lab.folder / ".git")


@pytest.mark.parametrize(
    ("spoil", "error", "says"),
    [
        (without_record, DataError, "has no record of its model"),
        (of_another_model, MismatchError, f"records a model with SHA-256 {'0' * 64}"),
        (with_a_link, DataError, "'out' of commit .* is a link"),
        (with_a_stage_of_another_tier, DataError, "'tier2#best#2', which does not mark the best of its tier"),
        (without_its_libraries, DataError, r"`requirements\.lock` is not in commit"),
        (shallow, GitError, "is a shallow clone"),
    ],
    ids=lambda value: value.__name__ if callable(value) and not isinstance(value, type) else "",
)
def test_a_release_that_could_not_be_restored_is_not_archived(
    released: Any, tmp_path: Path, spoil: Callable[[Any], None], error: type[Exception], says: str
) -> None:
    lab = released.copy(tmp_path)
    spoil(lab)
    with pytest.raises(error, match=says):
        create(lab.folder, TAG, tmp_path / "it.tar")
    assert not list(tmp_path.glob("*.tar*")) + list(tmp_path.glob(".*"))


def test_the_unpacked_store_is_a_remote_of_dvc(released: Any, archived: Path, tmp_path: Path) -> None:
    subprocess.run(["tar", "-xf", str(archived)], cwd=tmp_path, check=True)
    released.run("git", "clone", "--quiet", "--branch", TAG, str(tmp_path / "repository.bundle"), str(tmp_path / "it"))
    clone = type(released)(tmp_path / "it", released.make)
    clone.run("dvc", "remote", "add", "--local", "--default", "archive", str(tmp_path / "store"))
    clone.run("dvc", "pull", "--quiet")
    package = "models/package/model.safetensors"
    assert (clone.folder / package).read_bytes() == (released.folder / package).read_bytes()
    assert json.loads(clone.run("dvc", "status", "--json").stdout) == {}


SCRIPT = """
import sys
from pathlib import Path
from gogooku3.recovery.archive.create import create
create(Path("."), "tier1", Path(sys.argv[1]), progress=lambda *step: print(*step, flush=True))
"""


def test_of_two_at_once_one_writes_the_file_and_the_other_is_refused(
    released: Any, archived: Path, tmp_path: Path
) -> None:
    target = tmp_path / "it.tar"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", SCRIPT, str(target)]
    both = [
        subprocess.Popen(command, cwd=released.folder, env=environment, stdout=-3, stderr=-1, text=True)
        for _ in range(2)
    ]
    errors = [process.communicate()[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 1]
    assert f"`{target}` exists" in "".join(errors)
    assert target.read_bytes() == archived.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["it.tar"]


@pytest.mark.slow
def test_killed_at_any_moment_it_leaves_no_file_and_the_next_run_completes(
    released: Any, archived: Path, tmp_path: Path
) -> None:
    target = tmp_path / "it.tar"
    with open_archive(archived) as archive:
        count = len(archive.manifest.files)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    for moment in ("hashing 1 ", "hashing 9 ", "writing 1 ", "writing 9", f"writing {count}", "nothing"):
        with subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(target)], cwd=released.folder, env=environment, stdout=-1, text=True
        ) as process:
            for line in process.stdout:
                if line.startswith(moment):
                    process.send_signal(signal.SIGKILL)
            process.wait()
        if process.returncode == 0:
            break
        # A kill after the last member is written: the file does not exist or is complete.
        assert not target.exists() or target.read_bytes() == archived.read_bytes()
        target.unlink(missing_ok=True)
    assert moment == "nothing"
    assert target.read_bytes() == archived.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["it.tar"]
