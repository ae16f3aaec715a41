"""Chroots with other C libraries: missing prerequisites are reported, and commands leave no files or mounts."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from measures.chroot import Chroot

MIRROR = "http://mirror.example/debian/"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replaces all programs on the path by the given shell scripts."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def install(**scripts: str) -> None:
        for name, script in scripts.items():
            program = folder / name.replace("_", "-")
            program.write_text(f"#!/bin/sh\n{script}\n")
            program.chmod(0o755)

    return install


def test_missing_prerequisites_of_a_chroot_are_reported(programs: Callable[..., None], tmp_path: Path) -> None:
    chroot = Chroot("trixie", tmp_path / "chroots")
    assert chroot.prepare() == "no permission to mount (`unshare --mount`); run as root"
    programs(unshare="echo 'Operation not permitted' >&2; exit 1")
    assert chroot.prepare() == "no permission to mount (`unshare --mount`); run as root"
    programs(unshare='shift; [ "$1" = true ] || exec "$@"')
    assert chroot.prepare() == "no debootstrap"
    programs(debootstrap="echo 'E: no such release'; exit 7")
    assert chroot.prepare() == "apt has no Debian mirror; run `apt-get update`"
    programs(apt_get="exit 0")
    assert chroot.prepare() == "apt has no Debian mirror; run `apt-get update`"
    programs(apt_get=f"echo {MIRROR}; echo {MIRROR}")
    assert chroot.prepare() == "debootstrap ended with 7: E: no such release"
    assert not chroot.root.exists()


def test_a_chroot_is_created_once_from_the_mirror_of_apt_and_atomically(
    programs: Callable[..., None], tmp_path: Path
) -> None:
    """A partial folder of an interrupted debootstrap is not a chroot."""
    chroot, calls = Chroot("sid", tmp_path / "chroots"), tmp_path / "calls"
    programs(
        unshare='shift; case "$1" in true) ;; sh) echo "no such file"; exit 127 ;; *) exec "$@" ;; esac',
        apt_get=f"echo {MIRROR}",
        debootstrap=f'echo "$@" >> "{calls}"; /bin/mkdir "$5"',
    )
    (chroot.root.parent / ".sid.partial" / "usr").mkdir(parents=True)
    for _ in range(2):
        assert chroot.prepare() == "Python does not start in it: no such file"
    (once,) = calls.read_text().splitlines()
    assert once.endswith(f" sid {chroot.root.parent / '.sid.partial'} {MIRROR}")
    assert chroot.root.is_dir()


def test_a_command_in_a_chroot_works_in_its_folder_and_leaves_no_files_or_mounts(tmp_path: Path) -> None:
    """The chroot is an empty folder here; this system's own programs are mounted there."""
    alone = ("unshare", "--map-root-user")
    if subprocess.run((*alone, "--mount", "true"), capture_output=True, check=False).returncode:
        pytest.skip("no user namespaces here")
    work, chroot = tmp_path / "a folder, ümläuts: and more", Chroot("empty", tmp_path / "the chroots, all")
    for folder in (work, chroot.root, chroot.root.parent / ".layer"):
        folder.mkdir(parents=True)
    system = [path for path in map(Path, ("/usr", "/bin", "/lib", "/lib64")) if path.exists()]
    script = "pwd; ls /; echo here > kept; echo there > /lost; exit 3"
    before = Path("/proc/self/mounts").read_text()
    command = (*alone, *chroot.enter(*system, work), "sh", "-c", script)
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (3, "")
    where, *seen = done.stdout.splitlines()
    assert where == str(work)
    assert {"proc", "usr"} <= set(seen)
    assert "etc" not in seen
    assert (work / "kept").read_text() == "here\n"
    assert not [*chroot.root.iterdir(), *(chroot.root.parent / ".layer").iterdir()]
    assert Path("/proc/self/mounts").read_text() == before
