"""Every check of `doctor`, what each is needed for, and how they run: each stands alone, and the remote is asked while
the others look."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gogooku3.errors import UserError
from gogooku3.recovery.checks.legacy_env import ignored
from gogooku3.recovery.checks.verdict import Check, Finding
from gogooku3.recovery.doctor.leftovers import locks, partials
from gogooku3.recovery.doctor.machine import device, disk, probe
from gogooku3.recovery.doctor.remote import credentials, reachable, verification
from gogooku3.recovery.doctor.secrets import secrets
from gogooku3.recovery.doctor.software import file_modes, git_version, libraries, own_source, python_version
from gogooku3.recovery.doctor.tasks import TASKS, Examination, Fitness, Task

_Check = Callable[[Path], Finding]

_CHECKS: dict[str, tuple[_Check, tuple[Task, ...]]] = {
    # name → what looks, and the tasks that cannot be done while it fails
    "git": (git_version, ("train", "release", "recover")),
    "python": (python_version, TASKS),
    "libraries": (libraries, TASKS),
    "source": (own_source, ("train", "release")),
    "file modes": (file_modes, ("train", "release")),
    "remote": (reachable, ("release", "recover")),
    "credentials": (credentials, ("release", "recover")),
    "verification": (verification, ("release", "recover")),
    "secrets": (secrets, ("release",)),
    "disk": (disk, ("train", "recover")),
    "device": (device, ("train", "predict")),
    "probe": (probe, ("train",)),
    "locks": (locks, ("train", "release", "recover")),
    "leftovers": (partials, ()),
}


def examine(root: Path, variables: Collection[str]) -> Examination:
    """Looks at this machine and at the clone in `root`; nothing is changed.

    `variables` are the names of environment variables, among which old knobs are named.
    """
    examined = {**_CHECKS, "variables": (lambda _root: ignored(variables), ())}
    with ThreadPoolExecutor(max_workers=1) as pool:
        answer = pool.submit(_found, reachable, root)
        findings = {name: _found(check, root) for name, (check, _) in examined.items() if check is not reachable}
        findings["remote"] = answer.result()
    checks = tuple(Check(name, findings[name]) for name in examined)
    failed = [check for check in checks if check.finding.outcome == "failed"]
    return Examination(
        checks, tuple(Fitness(task, tuple(each for each in failed if task in examined[each.name][1])) for task in TASKS)
    )


def _found(check: _Check, root: Path) -> Finding:
    try:
        return check(root)
    except UserError as error:
        return Finding("failed", error.message, error.hint)
    except Exception as error:
        # What a broken installation or clone makes a check raise is a finding, and hides no other.
        told = " ".join(f"{type(error).__name__}: {error}".split())
        return Finding("failed", f"cannot be checked: {told}", "`pip install -r requirements.lock`; `git status`")
