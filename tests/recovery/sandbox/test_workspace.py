"""Temporary folders are always removed, and isolated clones share nothing."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from gogooku3.recovery.sandbox.workspace import isolate, temporary_folder
from gogooku3.recovery.storage.open import open_cache

HOLD = """
import sys, time
from gogooku3.recovery.sandbox.workspace import temporary_folder
with temporary_folder('trial-') as folder:
"""


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))


def holder() -> tuple[subprocess.Popen[str], Path]:
    """A process that uses a temporary folder."""
    script = f"{HOLD}    print(folder, flush=True)\n    time.sleep(3600)\n"
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    return process, Path(process.stdout.readline().strip())


def end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_a_folder_is_removed_at_the_end_also_after_an_error() -> None:
    with temporary_folder("trial-") as folder:
        (folder / "file").write_text("content")
    assert not folder.exists()
    with pytest.raises(ValueError, match="wrong"), temporary_folder("trial-") as folder:
        raise ValueError("wrong")
    assert not folder.exists()


def test_leftovers_of_a_killed_run_are_removed_by_the_next_and_folders_in_use_stay() -> None:
    (killed, left), (running, used) = holder(), holder()
    try:
        end(killed)
        assert left.is_dir()
        with temporary_folder("trial-"):
            assert not left.exists()
            assert used.is_dir()
    finally:
        end(running)


def test_other_folders_are_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "temporary/trial-of-someone"
    other.mkdir()
    with temporary_folder("trial-"):
        pass
    assert other.is_dir()


def test_folders_that_another_user_prepared_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe in place of the lock file would block, a link would lead elsewhere."""
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "in-use").touch()
    (tmp_path / "temporary/trial-link").symlink_to(victim)
    (tmp_path / "temporary/trial-pipe").mkdir()
    os.mkfifo(tmp_path / "temporary/trial-pipe/in-use")
    monkeypatch.setattr(os, "geteuid", lambda: 99999)
    with temporary_folder("trial-") as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (victim / "in-use").is_file()
    assert (tmp_path / "temporary/trial-pipe").is_dir()


def test_a_clone_uses_its_own_cache_whatever_the_settings_share(toy: Any, tmp_path: Path) -> None:
    toy.local("cache", dir=str(tmp_path / "shared"))
    toy.local("core", site_cache_dir=str(tmp_path / "shared-site"))
    assert open_cache(toy.folder).name == str(tmp_path / "shared/files/md5")
    isolate(toy.folder)
    assert open_cache(toy.folder).name == str(toy.folder / ".dvc/cache/files/md5")
    assert toy.run("dvc", "config", "core.site_cache_dir").stdout.strip() == str(toy.folder / ".dvc/tmp/site")
    assert toy.run("dvc", "config", "remote.store.endpointurl").stdout.strip().startswith("http://127.0.0.1:")
    assert toy.run("git", "status", "--porcelain").stdout == ""
