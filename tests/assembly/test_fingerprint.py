"""The cache key of a month covers all that its bytes depend on, and not where it was built."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

import gogooku3
from gogooku3.assembly.fingerprint import CODE, NOT_OF_A_MONTH

SOURCE = Path(gogooku3.__file__).parents[1]

ELSEWHERE = tuple(f"gogooku3.{name}" for name in ("config", "errors", "dataset.schema", "quotes", "progress", "paths"))
"""Modules that are not hashed: the recipe has their parameters, columns, definitions and input values."""

RECIPE = """
from gogooku3 import config
from gogooku3.assembly.fingerprint import recipe
from gogooku3.features.registry import select
params = config.load().dataset
print(recipe(select(params.features), params))
"""


def recipe(source: Path, **variables: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(source), **variables}
    command = [sys.executable, "-c", RECIPE]
    done = subprocess.run(command, cwd=SOURCE.parent, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the source that tests may edit."""
    shutil.copytree(SOURCE, tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    return tmp_path / "src"


def edit(source: Path, name: str, comment: str = "# edited\n") -> None:
    with (source / "gogooku3" / name).open("a") as file:
        file.write(comment)


def test_the_key_is_the_same_in_another_folder_and_after_edits_of_unrelated_code(copy: Path) -> None:
    """A documentation page, a reader, a report, the network: none computes a value of a month."""
    for name in (
        *("cli/feature_reference.py", "dataset/contents.py", "dataset/schema.py", "dataset/splits.py"),
        *("assembly/build.py", "assembly/history.py", "assembly/month_cache.py", "assembly/months.py"),
        *("features/subsets.py", "features/targets.py", "panel/memmap.py", "quotes/folder.py", "quotes/table.py"),
        *("sources/rules.py", "download/api.py", "quality/page.py", "report/page.py", "runtime/files.py"),
    ):
        edit(copy, name)
    assert recipe(copy, PYTHONHASHSEED="5", TZ="Asia/Tokyo") == recipe(SOURCE)


@pytest.mark.parametrize(
    "name",
    [
        "features/families/returns.py",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in (
                *("dataset/elementwise.py", "dataset/normalise.py", "features/graph.py", "features/joined.py"),
                *("features/market.py", "features/month.py", "features/rolling/moments.py"),
            )
        ),
    ],
)
def test_an_edit_of_code_that_computes_features_changes_the_key(copy: Path, name: str) -> None:
    edit(copy, name)
    assert recipe(copy) != recipe(SOURCE)


def test_other_parquet_settings_change_the_key(copy: Path) -> None:
    edit(copy, "runtime/files.py", 'PARQUET["compression_level"] = 4\n')
    assert recipe(copy) != recipe(SOURCE)


def test_the_key_covers_exactly_the_code_that_computes_a_month() -> None:
    imports = grimp.build_graph("gogooku3", cache_dir=None)
    begin = {"gogooku3.features.month", "gogooku3.features.registry"}
    reached = begin.union(*(imports.find_upstream_modules(module) for module in begin))
    used = {file_of(module) for module in reached if not module.startswith(ELSEWHERE)}
    package = SOURCE / "gogooku3"
    covered = {file for name in CODE for file in [package / name, *(package / name).rglob("*.py")] if file.is_file()}
    outside = {package / name for name in NOT_OF_A_MONTH}
    assert used - outside == {file for file in covered - outside if file in used or file.name != "__init__.py"}


def file_of(module: str) -> Path:
    path = SOURCE / Path(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def test_other_cpu_kernels_change_the_key() -> None:
    def with_kernels(names: str) -> str:
        return recipe(SOURCE, NPY_DISABLE_CPU_FEATURES=names)

    every = "X86_V3 X86_V4 AVX512_ICL AVX512_SPR"
    assert with_kernels(every) == with_kernels(every)
    assert with_kernels(every) != with_kernels("X86_V4 AVX512_ICL AVX512_SPR")
