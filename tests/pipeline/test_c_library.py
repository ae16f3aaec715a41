"""No stage depends on the C library's rounding: its results are perturbed, and every file stays the same.

`c_library.c` is preloaded between the libraries and libm. The counts of remaining calls are compared with the table of
`docs/training.md`, which explains why no byte depends on them.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from gogooku3.recovery.reproduction.pipeline import stages

from .conftest import ROOT, Workspace

MADE = ("data/quotes", "data/dataset", "models", "metrics", "plots", "reports")
PROBE = "import math, torch; print(math.exp(1.0).hex(), torch.sigmoid(torch.ones(1)).item().hex())"


@pytest.fixture(scope="session")
def preloaded(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The compiled library."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("this machine has no C compiler")
    target = tmp_path_factory.mktemp("preloaded") / "c_library.so"
    source = Path(__file__).with_name("c_library.c")
    subprocess.run([compiler, "-O2", "-fno-builtin", "-shared", "-fPIC", "-o", target, source, "-ldl"], check=True)
    return str(target)


def documented() -> dict[str, set[str]]:
    """The remaining calls of each stage in `docs/training.md`."""
    text = (ROOT / "docs/training.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]+`) \| (`[^|]+`) \| [^|]+ \|$", text.partition("## The C library")[2], re.MULTILINE)
    return {
        stage: set(re.findall(r"`(\w+)`", calls)) for stages, calls in rows for stage in re.findall(r"`(\w+)`", stages)
    }


def test_the_library_in_between_is_heard(workspace: Workspace, preloaded: str) -> None:
    """Control: without an effect of the library, the other test would prove nothing."""
    true = workspace.run("python", "-c", PROBE).stdout.split()
    moved = workspace.run("python", "-c", PROBE, LD_PRELOAD=preloaded, C_LIBRARY_SHIFT="1").stdout.split()
    assert moved[0] != true[0]
    assert moved[1] != true[1]


@pytest.mark.slow
def test_no_file_of_any_stage_depends_on_the_last_bits_of_the_c_library(
    workspace: Workspace, preloaded: str, tmp_path: Path
) -> None:
    expected = workspace.bytes_of(*MADE)
    lock = (workspace.folder / "dvc.lock").read_text()
    recorded = yaml.safe_load(lock)["stages"]
    commands = {stage.name: recorded[stage.name]["cmd"] for stage in stages(lock)}
    for left in (workspace.folder / "data").glob(".dataset*"):
        shutil.rmtree(left)
    allowed = documented()
    for name, command in commands.items():
        counts = tmp_path / name
        workspace.run(*command.split(), LD_PRELOAD=preloaded, C_LIBRARY_SHIFT="1", C_LIBRARY_COUNTS=str(counts))
        called = set(re.findall(r"(\w+)=", counts.read_text()))
        assert called <= allowed[name.partition("@")[0]], f"{name} calls what docs/training.md does not name"
    found = workspace.bytes_of(*MADE)
    assert [path for path in expected if expected[path] != found.get(path) and not path.endswith(".gitignore")] == []
