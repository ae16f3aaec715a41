"""Other C libraries (glibc versions) with the same Python and wheels: commands in chroots of Debian releases.

debootstrap creates a chroot once, in a permanent folder. Commands do not change it: they see it through an overlay in
memory, with this Python, its packages and their working folders bind-mounted at the same paths. The mounts are in the
command's own mount namespace, so the kernel removes them when the command ends.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from measures.clone import BIN

RELEASES = ("bookworm", "trixie", "sid")
CHROOTS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gogooku3" / "chroots"
"""Default folder of the chroots."""

_PACKAGES = "python3,git,libgomp1,tzdata"
"""Packages that the wheels and DVC need in addition to a minimal system; of python3, only its dependencies are used."""
_LAYER = ".layer"
"""Mount point of the overlay's tmpfs in a command's namespace; empty outside it."""
_ENTER = f"""
here=$(pwd -P)
cd "$1"
release=$2
shift 2
mount -t tmpfs tmpfs {_LAYER}
mkdir {_LAYER}/upper {_LAYER}/work {_LAYER}/root
mount -t overlay overlay -o "lowerdir=$release,upperdir={_LAYER}/upper,workdir={_LAYER}/work" {_LAYER}/root
while [ "$1" != -- ]; do
    target={_LAYER}/root$1
    if [ -d "$1" ]; then mkdir -p "$target"; else mkdir -p "${{target%/*}}"; touch "$target"; fi
    mount --rbind "$1" "$target"
    shift
done
shift
exec chroot {_LAYER}/root env --chdir="$here" "$@"
"""
_STARTS = "import os, ssl, sqlite3, dvc.cli, lightgbm, torch; print(os.confstr('CS_GNU_LIBC_VERSION'))"


class Chroot:
    """A chroot with a Debian release."""

    def __init__(self, release: str, folder: Path = CHROOTS) -> None:
        self.release, self.root = release, folder / release
        self.library = ""
        """Name and version of its C library, after `prepare`."""

    def prepare(self) -> str:
        """Creates the chroot if it does not exist, and starts Python in it.

        Returns:
            Why it cannot be used; empty if it can.
        """
        missing = self._missing()
        if missing:
            return missing
        (self.root.parent / _LAYER).mkdir(parents=True, exist_ok=True)
        error = "" if self.root.exists() else self._create()
        if error:
            return error
        started = subprocess.run(
            [*self.enter(), str(BIN / "python"), "-c", _STARTS], cwd="/", capture_output=True, text=True, check=False
        )
        self.library = started.stdout.strip()
        return f"Python does not start in it: {_last_line(started)}" if started.returncode else ""

    def enter(self, *folders: Path) -> tuple[str, ...]:
        """Command prefix that runs a command in the chroot.

        Args:
            folders: folders that the command needs, including its working directory.
        """
        wanted = (Path("/proc"), Path("/sys"), Path("/dev"), *_python(), *folders)
        mounted = dict.fromkeys(str(each) for path in wanted for each in (path.absolute(), path.resolve()))
        mounted.pop("/", None)  # it would hide the chroot
        return ("unshare", "--mount", "sh", "-ec", _ENTER, "sh", str(self.root.parent), self.release, *mounted, "--")

    def _missing(self) -> str:
        if shutil.which("unshare") is None or subprocess.run(_MAY_MOUNT, capture_output=True, check=False).returncode:
            return "no permission to mount (`unshare --mount`); run as root"
        if self.root.exists():
            return ""
        if shutil.which("debootstrap") is None:
            return "no debootstrap"
        return "" if _mirror() else "apt has no Debian mirror; run `apt-get update`"

    def _create(self) -> str:
        """Creates it; returns the error, or an empty string."""
        partial = self.root.with_name(f".{self.release}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        options = ("--force-check-gpg", "--variant=minbase", f"--include={_PACKAGES}")
        # debootstrap mounts file systems itself.
        command = ("unshare", "--mount", "debootstrap", *options, self.release, str(partial), _mirror())
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"debootstrap ended with {done.returncode}: {_last_line(done)}"
        partial.rename(self.root)
        return ""


_MAY_MOUNT = ("unshare", "--mount", "true")


def _mirror() -> str:
    """The Debian mirror of apt's configuration; empty if there is none."""
    if shutil.which("apt-get") is None:
        return ""
    ours = ("Created-By: Packages", "Origin: Debian", "Label: Debian")
    command = ("apt-get", "indextargets", "--format", "$(REPO_URI)", *ours)
    return next(iter(subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()), "")


def _python() -> list[Path]:
    """Paths of this Python and its packages; for the system's Python without the system's libraries."""
    if sys.base_prefix != "/usr":
        return [Path(sys.base_prefix), Path(sys.prefix)]
    own = [Path(sys.executable).resolve(), Path(sysconfig.get_path("stdlib"))]
    return own if sys.prefix == "/usr" else [*own, Path(sys.prefix)]


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    return next(reversed((done.stdout + done.stderr).strip().splitlines()), "no output")
