"""An archive is uploaded next to the store under its own name, read back, and never replaced."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gogooku3.errors import DataError
from gogooku3.recovery.archive.push import push
from gogooku3.recovery.garbage import FLAGS

from ...conftest import Bucket

NAME = "tier1@v1.1.0.tar"


def test_an_archive_is_read_back_and_another_one_is_not_replaced(lab: Any, tmp_path: Path) -> None:
    file = tmp_path / "it.tar"
    file.write_bytes(b"archive")
    assert push(lab.folder, file, NAME) == push(lab.folder, file, NAME) == f"{lab.bucket}/archives/{NAME}"
    file.write_bytes(b"another")
    with pytest.raises(DataError, match="exists, with other bytes"):
        push(lab.folder, file, NAME)
    assert (lab.bucket / "archives" / NAME).read_bytes() == b"archive"


@pytest.mark.slow
def test_the_command_pushes_to_the_bucket_and_garbage_collection_keeps_it(
    released: Any, bucket: Bucket, tmp_path: Path
) -> None:
    lab = released.copy(tmp_path)
    access = f"    endpointurl = {bucket.endpoint}\n    allow_anonymous_login = true\n"
    (lab.folder / ".dvc/config.local").write_text(f"['remote \"store\"']\n    url = {bucket.url}\n{access}")
    lab.run("dvc", "push", "--quiet", "--all-tags")
    output = tmp_path / "here.tar"
    created = lab.run("gogooku3", "archive", "create", "tier1", "--output", str(output), "--push", "--json")
    assert json.loads(created.stdout)["pushed"] == f"{bucket.url}/archives/{NAME}"
    lab.run("dvc", "gc", "--force", "--cloud", *FLAGS)
    assert bucket.read(f"store/archives/{NAME}") == output.read_bytes()
