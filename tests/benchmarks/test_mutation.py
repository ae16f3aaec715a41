"""Mutation tests: which changes are made, which sample is run, and that a change without a test is reported."""

from __future__ import annotations

import subprocess
from pathlib import Path, PurePosixPath

import mutation
import pytest
from mutants.operators import mutants

TINY = PurePosixPath("metrics/tiny.py")
SOURCE = '''"""A module."""


def above(values: list[int], limit: int = 0) -> int:
    """Values above a limit."""
    if limit < 0:
        raise ValueError(f"{limit - 1} < 0")
    return sum(value > limit for value in values)
'''
TEST = """
from gogooku3.metrics.tiny import above
import pytest

def test_values_above_the_limit_are_counted():
    assert above([0, 1, 2], 1) == 1
    with pytest.raises(ValueError):
        above([], -1)
"""
SURVIVORS = [
    ("-def above(values: list[int], limit: int = 0) -> int:", "+def above(values: list[int], limit: int = 1) -> int:"),
    ("-if limit < 0:", "+if limit <= 0:"),
    ("-if limit < 0:", "+if limit < 1:"),
]
"""No test has the default limit or a limit of 0."""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    for path, text in {
        "src/gogooku3/__init__.py": "",
        "src/gogooku3/metrics/__init__.py": "",
        f"src/gogooku3/{TINY}": SOURCE,
        "tests/metrics/test_tiny.py": TEST,
        "pyproject.toml": "[tool.pytest.ini_options]\naddopts = ['--import-mode=importlib']\n",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    return root


@pytest.mark.parametrize(
    ("source", "changed"),
    [
        ("a < b", {"a <= b"}),
        ("a >= b", {"a > b"}),
        ("a is not None", {"a is None"}),
        ("a not in b", {"a in b"}),
        ("x = f(3)", {"x = f(4)"}),
        ("x = y[0] + y[-1]", {"x = y[-1] + y[-1]", "x = y[0] + y[0]", "x = y[0] - y[-1]"}),
        ("a and b or c", {"a or b or c", "a and b and c"}),
        ("a & ~b", {"a | ~b", "a & b"}),
        ("not (a or b)", {"(a or b)", "not (a and b)"}),
        ("x.sum(axis=1)", {"x.sum(axis=0)"}),
        ("frame.first().max()", {"frame.last().max()", "frame.first().min()"}),
        ("if a:\n    raise E(1)", {"pass"}),
        ("if a:\n    return\nb", {"pass\nb"}),
        ("require_finite(x)", {"pass"}),
        ("splits.refuse_leakage(x)", {"pass"}),
        ("'a' + b", set()),
        ("f'{a + 1}'", set()),
        ("log.info(1)", set()),
        ("SIZE = 1 << 20", set()),
        ("x: int = 600", set()),
        ("flag = True", set()),
    ],
)
def test_a_change_is_made_at_each_place(source: str, changed: set[str]) -> None:
    assert {mutant.source for mutant in mutants(TINY, source)} == changed


def test_a_change_keeps_the_other_bytes_and_names_its_line() -> None:
    source = "é = 'ü'\nx = (\n    a  # a note\n    + b\n)\n"
    (mutant,) = mutants(TINY, source)
    assert mutant.source == source.replace("+ b", "- b")
    assert (mutant.line, mutant.diff) == (4, ("-+ b", "+- b"))
    (mutant,) = mutants(TINY, "if a:\n    b = 1000\n    return\n")
    assert mutant.diff == ("-if a:", "-b = 1000", "-return", "+pass")


def test_the_sample_is_the_same_for_the_same_seed_and_moves_only_with_its_lines() -> None:
    source = "".join(f"x_{n} = a + {n}\n" for n in range(20))
    chosen = mutation.sample(mutants(TINY, source), 10, 0)
    assert [mutant.diff for mutant in mutation.sample(mutants(TINY, f"import a\n{source}"), 10, 0)] == [
        mutant.diff for mutant in chosen
    ]
    assert [mutant.diff for mutant in mutation.sample(mutants(TINY, source), 10, 1)] != [
        mutant.diff for mutant in chosen
    ]


def test_a_module_is_tested_by_its_mirror_and_the_files_that_import_it() -> None:
    def tests_of(module: str) -> list[str]:
        return mutation.tests_of(mutation.ROOT, PurePosixPath(module))

    assert tests_of("metrics/returns.py")[0] == "tests/metrics/test_returns.py"
    assert "tests/training/test_loop.py" in tests_of("training/history.py") + tests_of("training/run.py")
    assert "tests/training/test_loop.py" in tests_of("training/progress.py")  # nothing imports it: the folder
    assert tests_of("recovery/restore_command.py") == []  # the folder has too many files
    assert all((mutation.ROOT / path).exists() for path in tests_of("features/families/returns.py"))


def test_new_survivors_are_reported_and_accepted_ones_are_not(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "docs").mkdir()
    accepted, *new = ("\n".join(("```diff", *lines, "```")) for lines in SURVIVORS)
    (repository / "docs/mutation.md").write_text(f"# Mutation tests\n\n### `{TINY}`\n\n{accepted}\n\nNo reason.\n")
    assert mutation.main(["metrics"], repository) == 1
    found = capsys.readouterr().out
    assert f"| metrics | {len(mutants(TINY, SOURCE)) - 3} | 1 | 2 | 0 |" in found
    assert all(f"src/gogooku3/{TINY}:6\n{diff}" in found for diff in new)
    assert accepted not in found
    assert (repository / "src/gogooku3" / TINY).read_text() == SOURCE


def test_tests_that_fail_without_a_change_are_an_error(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "tests/metrics/test_tiny.py").write_text(TEST.replace("== 1", "== 2"))
    assert mutation.main(["metrics"], repository) == 2
    assert "tests/metrics/test_tiny.py fails without any change" in capsys.readouterr().err


def test_after_the_deadline_nothing_is_run(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert mutation.main(["metrics", "--minutes", "0"], repository) == 0
    assert f"| metrics | 0 | 0 | 0 | {len(mutants(TINY, SOURCE))} |" in capsys.readouterr().out


def test_an_endless_loop_is_stopped(repository: Path) -> None:
    (repository / "tests/metrics/test_tiny.py").write_text("def test_endless():\n    while True: pass\n")
    assert not mutation.passes(repository, ["tests/metrics"], 1.5)


def test_every_accepted_survivor_is_a_mutant_of_the_code() -> None:
    known = mutation.accepted((mutation.ROOT / mutation.ACCEPTED).read_text(encoding="utf-8"))
    source = mutation.ROOT / mutation.PACKAGE
    modules = {path: mutants(PurePosixPath(path), (source / path).read_text(encoding="utf-8")) for path, _ in known}
    assert known
    assert known - {mutation.key(mutant) for found in modules.values() for mutant in found} == set()
