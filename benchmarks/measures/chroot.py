"""Other C libraries below the same Python and wheels: chroots of Debian releases, and commands run in them.

debootstrap makes a chroot once, in a folder that outlives the run. Nothing changes it later: a command sees it through
an overlay in memory, with this Python, its packages and the folders that it works in where they are outside. The mounts
belong to the command's own mount namespace, so the kernel undoes them when it ends, however it ends.
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
"""Where chroots are kept by default."""

_PACKAGES = "python3,git,libgomp1,tzdata"
"""What the wheels and DVC need beside a minimal system. Of python3 only the libraries that it depends on are used."""
_LAYER = ".layer"
"""The folder on which a command's namespace mounts the memory of its overlay; empty in every other."""
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
    """A Debian release in a folder of its own."""

    def __init__(self, release: str, folder: Path = CHROOTS) -> None:
        self.release, self.root = release, folder / release
        self.library = ""
        """The name and version of its C library, once it is prepared."""

    def prepare(self) -> str:
        """Makes the chroot if there is none yet, and starts Python in it; what stands in the way, or nothing."""
        lacking = self._lacking()
        if lacking:
            return lacking
        (self.root.parent / _LAYER).mkdir(parents=True, exist_ok=True)
        failed = "" if self.root.exists() else self._make()
        if failed:
            return failed
        started = subprocess.run(
            [*self.enter(), str(BIN / "python"), "-c", _STARTS], cwd="/", capture_output=True, text=True, check=False
        )
        self.library = started.stdout.strip()
        return f"Python does not start in it: {_last_line(started)}" if started.returncode else ""

    def enter(self, *folders: Path) -> tuple[str, ...]:
        """What stands before a command that is to run in it.

        Args:
            folders: what the command works in, its working directory included.
        """
        wanted = (Path("/proc"), Path("/sys"), Path("/dev"), *_python(), *folders)
        mounted = dict.fromkeys(str(each) for path in wanted for each in (path.absolute(), path.resolve()))
        mounted.pop("/", None)  # would hide the chroot
        return ("unshare", "--mount", "sh", "-ec", _ENTER, "sh", str(self.root.parent), self.release, *mounted, "--")

    def _lacking(self) -> str:
        if shutil.which("unshare") is None or subprocess.run(_MAY_MOUNT, capture_output=True, check=False).returncode:
            return "no right to mount here (`unshare --mount`); root may"
        if self.root.exists():
            return ""
        if shutil.which("debootstrap") is None:
            return "no debootstrap"
        return "" if _mirror() else "apt knows no mirror of Debian; `apt-get update` asks its sources"

    def _make(self) -> str:
        """Makes it; why it could not be made, or nothing."""
        partial = self.root.with_name(f".{self.release}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        options = ("--force-check-gpg", "--variant=minbase", f"--include={_PACKAGES}")
        # debootstrap mounts file systems of its own.
        command = ("unshare", "--mount", "debootstrap", *options, self.release, str(partial), _mirror())
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            return f"debootstrap ended with {made.returncode}: {_last_line(made)}"
        partial.rename(self.root)
        return ""


_MAY_MOUNT = ("unshare", "--mount", "true")


def _mirror() -> str:
    """The mirror of Debian that apt is configured with; empty if it has none."""
    if shutil.which("apt-get") is None:
        return ""
    ours = ("Created-By: Packages", "Origin: Debian", "Label: Debian")
    command = ("apt-get", "indextargets", "--format", "$(REPO_URI)", *ours)
    return next(iter(subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()), "")


def _python() -> list[Path]:
    """This Python and its packages; of a Python of the system's its own parts alone, not the system's libraries."""
    if sys.base_prefix != "/usr":
        return [Path(sys.base_prefix), Path(sys.prefix)]
    own = [Path(sys.executable).resolve(), Path(sysconfig.get_path("stdlib"))]
    return own if sys.prefix == "/usr" else [*own, Path(sys.prefix)]


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    return next(reversed((done.stdout + done.stderr).strip().splitlines()), "it said nothing")
