"""The commit of a package is one whose lock file records its manifest as an output."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from gogooku3.recovery.releases import git
from gogooku3.recovery.releases.package_commit import commit_of_package, releases_of

MANIFEST = b"the manifest"
HASH = hashlib.md5(MANIFEST).hexdigest()
RECORD = f"stages:\n  package:\n    outs:\n    - path: models/package/MANIFEST.json\n      md5: {HASH}\n"
OTHERS = {
    "comment": f"stages: {{}}  # {HASH}\n",
    "other file": RECORD.replace("MANIFEST.json", "README.md"),
    "dependency": RECORD.replace("outs:", "deps:"),
}


def commit(repository: Path, lock: str) -> str:
    (repository / "dvc.lock").write_text(lock)
    git.run(repository, "add", "dvc.lock")
    git.run(repository, "commit", "--quiet", "--message", "A lock file")
    return git.commit_of(repository, "HEAD")


@pytest.fixture
def package(repository: Path) -> Path:
    folder = repository / "models/package"
    folder.mkdir(parents=True)
    (folder / "MANIFEST.json").write_bytes(MANIFEST)
    return folder


@pytest.mark.parametrize("kind", OTHERS)
def test_a_hash_elsewhere_in_a_lock_file_is_no_record(repository: Path, package: Path, kind: str) -> None:
    commit(repository, OTHERS[kind])
    assert commit_of_package(package) is None
    git.run(repository, "tag", "--annotate", "--message", "forged", "tier1@v2.0.0")
    assert commit_of_package(package) is None
    assert releases_of(package)[1] == []
    commit(repository, "stages: {}\n")
    recording = commit(repository, RECORD)
    assert (found := commit_of_package(package)) is not None
    assert (found.commit, found.name) == (recording, recording[:10])
    git.run(repository, "tag", "--annotate", "--message", "released", "tier1@v1.0.0")
    assert [release.tag.name for release in releases_of(package)[1]] == ["tier1@v1.0.0"]
