"""Everything that depends on the device, on a second device, in processes of their own.

A process gets the device before its first backward pass, and cannot give it back.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .second import MISSING

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)


def cases(folder: Path, marked: str) -> None:
    """Runs the marked tests of `cases.py`."""
    options = ["-q", "-p", "no:cacheprovider", f"--basetemp={folder / 'cases'}", "-m", marked]
    command = [sys.executable, "-m", "pytest", "tests/device/cases.py", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout


def test_inputs_training_scores_and_packages_have_the_bytes_of_the_cpu(tmp_path: Path) -> None:
    cases(tmp_path, "not slow")


@pytest.mark.slow
def test_shards_resumed_training_attribution_and_folds_have_the_bytes_of_the_cpu(tmp_path: Path) -> None:
    cases(tmp_path, "slow")
