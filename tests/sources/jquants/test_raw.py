"""The raw folder: damaged files, manifests and wrong paths are errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gogooku3.errors import DataError
from gogooku3.sources.jquants.raw import RawFolder

from ...download.conftest import Run

FILE = "bars/2024-01.1.parquet"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda file: file.unlink(), "cannot be read: "),
        (lambda file: file.write_bytes(file.read_bytes()[:-9]), "has changed since the download"),
        (
            lambda file: file.write_bytes((file.parent / "2024-02.1.parquet").read_bytes()),
            "has changed since the download",
        ),
    ],
    ids=["lost", "cut", "another month"],
)
def test_a_damaged_file_is_an_error(run: Run, folder: Path, damage: Callable[[Path], object], message: str) -> None:
    run()
    damage(folder / FILE)
    with pytest.raises(DataError, match=rf"{FILE}` {message}(?s:.)*`dvc checkout"):
        RawFolder(folder).read("bars", "2024-01")
    with pytest.raises(DataError, match=f"{FILE}` {message}"):
        run(again=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not a manifest"),
        ('{"format": 2, "months": {}}', "format"),
        ('{"format": 1, "months": {"../2024": []}}', "months"),
        ('{"format": 1, "months": {}, "more": 1}', "more"),
    ],
)
def test_an_invalid_manifest_is_refused(folder: Path, content: str, message: str) -> None:
    folder.mkdir()
    (folder / "manifest.json").write_text(content)
    with pytest.raises(DataError, match=rf"manifest\.json` is not a manifest.*{message}|{message}"):
        RawFolder(folder)


def test_the_manifest_describes_every_file(run: Run, folder: Path) -> None:
    run()
    months = json.loads((folder / "manifest.json").read_text())["months"]
    assert list(months) == ["2024-01", "2024-02"]
    (revision,) = months["2024-01"]
    assert revision["corrects"] == []
    assert {kind: file["rows"] for kind, file in revision["files"].items()} == {"bars": 18, "listed": 18, "topix": 3}
    assert all(file["sessions"] == ["2024-01-29", "2024-01-30", "2024-01-31"] for file in revision["files"].values())


def test_another_folder_is_not_written_to(run: Run, folder: Path) -> None:
    folder.mkdir()
    (folder / "notes.txt").touch()
    with pytest.raises(DataError, match=r"has `notes\.txt` and no `manifest\.json`"):
        run()
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_a_file_in_place_of_the_folder_is_refused(folder: Path) -> None:
    folder.touch()
    with pytest.raises(DataError, match="is a file"):
        RawFolder(folder)
