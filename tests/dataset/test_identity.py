"""What a month's bytes depend on is in its identity, and where it was made is not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import gogooku3

SOURCE = Path(gogooku3.__file__).parents[1]

RECIPE = """
from gogooku3 import config
from gogooku3.dataset.identity import recipe
from gogooku3.dataset.registry import select
params = config.load().dataset
print(recipe(select(params.features), params))
"""


def recipe(source: Path, **variables: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(source), **variables}
    command = [sys.executable, "-c", RECIPE]
    done = subprocess.run(command, cwd=SOURCE.parent, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_it_is_the_same_in_another_folder_and_not_with_another_writer(tmp_path: Path) -> None:
    here = recipe(SOURCE)
    shutil.copytree(SOURCE, tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    assert recipe(tmp_path / "src", PYTHONHASHSEED="5", TZ="Asia/Tokyo") == here
    with (tmp_path / "src/gogooku3/files.py").open("a") as writer:
        writer.write("# another way to write\n")
    assert recipe(tmp_path / "src") != here


def test_kernels_that_are_not_promised_to_agree_make_months_of_their_own() -> None:
    def with_kernels(names: str) -> str:
        return recipe(SOURCE, NPY_DISABLE_CPU_FEATURES=names)

    every = "X86_V3 X86_V4 AVX512_ICL AVX512_SPR"
    assert with_kernels(every) == with_kernels(every)
    assert with_kernels(every) != with_kernels("X86_V4 AVX512_ICL AVX512_SPR")
