"""Runs a command with this Python and its packages on another C library: in a chroot of a Debian release.

    python benchmarks/chroot.py [--chroots FOLDER] RELEASE COMMAND ...

The command sees this project, whose source is first on the path, and its working directory; files written elsewhere
are discarded. The first call creates the chroot, with debootstrap from apt's mirror; that needs root.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from measures.chroot import CHROOTS, RELEASES, Chroot
from measures.clone import Place

SOURCE = Path(__file__).resolve().parents[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chroots", type=Path, default=CHROOTS, help="folder of the chroots")
    parser.add_argument("release", choices=RELEASES)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if not options.command:
        parser.error("a command is missing")
    chroot = Chroot(options.release, options.chroots)
    reason = chroot.prepare()
    if reason:
        raise SystemExit(f"Debian {options.release}: {reason}")
    command = [*chroot.enter(SOURCE, Path.cwd()), *options.command]
    return subprocess.run(command, env=Place(SOURCE).environment({}), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
