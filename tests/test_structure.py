"""The folders of tests mirror those of the source."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parent
SOURCE = TESTS.parent / "src" / "gogooku3"

INTEGRATION = ("device", "pipeline", "recovery/faults", "released")
"""Integration tests: a second device, the real pipeline, a failing bucket, releases of earlier versions."""


def files(folder: Path, pattern: str) -> list[Path]:
    """Relative paths of the files below a folder, without integration tests."""
    relative = (path.relative_to(folder) for path in folder.rglob(pattern))
    return [path for path in relative if not path.as_posix().startswith(INTEGRATION)]


def test_every_test_folder_is_a_source_folder() -> None:
    folders = {path.parent for path in files(TESTS, "test_*.py")} - {Path("benchmarks")}
    assert [str(folder) for folder in folders if not (SOURCE / folder).is_dir()] == []


def test_a_test_named_after_a_module_is_in_its_folder() -> None:
    folders_of: dict[str, set[Path]] = {}
    for module in files(SOURCE, "*.py"):
        folders_of.setdefault(module.stem.strip("_"), set()).add(module.parent)
    for folder in {
        module.parent for module in files(SOURCE, "*.py")
    }:  # tests of a package are in its folder or next to it
        folders_of.setdefault(folder.name, set()).update({folder, folder.parent})
    misplaced = {
        str(test): [str(folder) for folder in sorted(folders_of[name])]
        for test in files(TESTS, "test_*.py")
        if (name := test.stem.removeprefix("test_")) in folders_of and test.parent not in folders_of[name]
    }
    assert misplaced == {}
