"""Verbs that only read work in a home that is mounted read-only, with DVC's site cache and its settings in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gogooku3.recovery.promote import promote

from .lab import ROOT, Lab

MOUNT = 'mount --bind "$HOME" "$HOME" && mount -o remount,bind,ro "$HOME" && ! touch "$HOME/x" 2>/dev/null && exec "$@"'

VERBS = """
import sys, traceback
from click.testing import CliRunner
from gogooku3.cli import main
for verb in sys.argv[1:]:
    done = CliRunner().invoke(main, verb.split())
    print(done.exit_code, verb)
    if done.exit_code:
        print(done.output)
        traceback.print_exception(done.exception)
"""
READ = (
    *("tiers", "tiers --check", "diff tier1@v1.0.0", "locate tier1", "locate models/package", "audit", "audit --local"),
    *("audit --gc-flags", "verify"),
)


def can_mount() -> bool:
    done = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not can_mount(), reason="needs the right to mount")
def test_verbs_that_only_read_need_no_home_to_write_to(lab: Lab, tmp_path: Path) -> None:
    promote(lab.folder, "tier1")
    home = tmp_path / "home"
    (home / ".config/dvc").mkdir(parents=True)
    (home / ".config/dvc/config").write_text(f"[core]\n    site_cache_dir = {home}/.cache/dvc-site\n")
    config = lab.folder / ".dvc/config"
    config.write_text("".join(line for line in config.read_text().splitlines(True) if "site_cache_dir" not in line))
    lab.commit("No site cache of its own")
    own = ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "DVC_SITE_CACHE_DIR")
    environment = {name: value for name, value in os.environ.items() if name not in own}
    environment |= {"HOME": str(home), "PYTHONPATH": str(ROOT / "src")}
    subprocess.run([sys.executable, "-m", "dvc", "status", "--quiet"], cwd=lab.folder, env=environment, check=False)
    assert (home / ".cache/dvc-site").is_dir()
    command = ["unshare", "--mount", "sh", "-c", MOUNT, "sh", sys.executable, "-c", VERBS, *READ]
    done = subprocess.run(command, cwd=lab.folder, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == [f"0 {verb}" for verb in READ], done.stdout + done.stderr
