"""The tests lie where the code lies that they test."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parent
SOURCE = TESTS.parent / "src" / "gogooku3"

WHOLE = ("pipeline", "recovery/faults", "released")
"""Tests of many parts together: the real pipeline, a bucket that fails, releases of earlier versions."""


def files(folder: Path, pattern: str) -> list[Path]:
    """Relative paths of the files below a folder that no part of the whole is."""
    found = (path.relative_to(folder) for path in folder.rglob(pattern))
    return [path for path in found if not path.as_posix().startswith(WHOLE)]


def test_every_folder_of_tests_is_one_of_the_source() -> None:
    folders = {path.parent for path in files(TESTS, "test_*.py")} - {Path("benchmarks")}
    assert [str(folder) for folder in folders if not (SOURCE / folder).is_dir()] == []


def test_a_test_that_is_named_as_a_module_lies_where_the_module_lies() -> None:
    places: dict[str, set[Path]] = {}
    for module in files(SOURCE, "*.py"):
        places.setdefault(module.stem.strip("_"), set()).add(module.parent)
    for folder in {
        module.parent for module in files(SOURCE, "*.py")
    }:  # a package is tested in its folder, or beside it
        places.setdefault(folder.name, set()).update({folder, folder.parent})
    misplaced = {
        str(test): [str(place) for place in sorted(places[name])]
        for test in files(TESTS, "test_*.py")
        if (name := test.stem.removeprefix("test_")) in places and test.parent not in places[name]
    }
    assert misplaced == {}
