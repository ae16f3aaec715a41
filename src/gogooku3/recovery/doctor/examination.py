"""Every check of `doctor`, and how they run: each stands alone, and the remote is asked while the others look."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gogooku3.errors import UserError
from gogooku3.recovery.checks.variables import ignored
from gogooku3.recovery.checks.verdict import Check, Finding
from gogooku3.recovery.doctor.leftovers import locks, partials
from gogooku3.recovery.doctor.machine import device, disk, probe
from gogooku3.recovery.doctor.remote import credentials, reachable, verification
from gogooku3.recovery.doctor.secrets import secrets
from gogooku3.recovery.doctor.software import file_modes, git_version, libraries, own_source, python_version

_CHECKS: dict[str, Callable[[Path], Finding]] = {
    "git": git_version,
    "python": python_version,
    "libraries": libraries,
    "source": own_source,
    "file modes": file_modes,
    "remote": reachable,
    "credentials": credentials,
    "verification": verification,
    "secrets": secrets,
    "disk": disk,
    "device": device,
    "probe": probe,
    "locks": locks,
    "leftovers": partials,
}


def examine(root: Path, variables: Collection[str]) -> tuple[Check, ...]:
    """Looks at this machine and at the clone in `root`; nothing is changed.

    `variables` are the names of environment variables, among which old knobs are named.
    """
    with ThreadPoolExecutor(max_workers=1) as pool:
        answer = pool.submit(_found, reachable, root)
        findings = {name: _found(check, root) for name, check in _CHECKS.items() if check is not reachable}
        findings["remote"] = answer.result()
    checks = [Check(name, findings[name]) for name in _CHECKS]
    return (*checks, Check("variables", ignored(variables)))


def _found(check: Callable[[Path], Finding], root: Path) -> Finding:
    try:
        return check(root)
    except UserError as error:
        return Finding("failed", error.message, error.hint)
    except Exception as error:
        # What a broken installation or clone makes a check raise is a finding, and hides no other.
        told = " ".join(f"{type(error).__name__}: {error}".split())
        return Finding("failed", f"cannot be checked: {told}", "`pip install -r requirements.lock`; `git status`")
