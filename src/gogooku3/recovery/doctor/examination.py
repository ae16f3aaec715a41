"""All checks of `doctor`, the tasks that need each, and how they run: independently, the remote's check in parallel."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gogooku3.errors import UserError
from gogooku3.recovery.checks.legacy_env import ignored
from gogooku3.recovery.checks.verdict import Check, Finding
from gogooku3.recovery.doctor.leftovers import locks, partials
from gogooku3.recovery.doctor.machine import device, disk, probe
from gogooku3.recovery.doctor.releases import best
from gogooku3.recovery.doctor.remote import credentials, reachable, verification
from gogooku3.recovery.doctor.secrets import secrets
from gogooku3.recovery.doctor.site_cache import site_cache
from gogooku3.recovery.doctor.software import file_modes, git_version, libraries, own_source, python_version
from gogooku3.recovery.doctor.tasks import TASKS, Examination, Fitness, Task
from gogooku3.runtime.faults import user_error

_Check = Callable[[Path], Finding]

_CHECKS: dict[str, tuple[_Check, tuple[Task, ...]]] = {
    # name → check function, and the tasks that a failure blocks
    "git": (git_version, ("train", "release", "recover")),
    "python": (python_version, TASKS),
    "libraries": (libraries, TASKS),
    "source": (own_source, ("train", "release")),
    "file modes": (file_modes, ("train", "release")),
    "remote": (reachable, ("release", "recover")),
    "credentials": (credentials, ("release", "recover")),
    "verification": (verification, ("release", "recover")),
    "secrets": (secrets, ("release",)),
    "site cache": (site_cache, ()),
    "disk": (disk, ("train", "recover")),
    "device": (device, ("train", "predict")),
    "probe": (probe, ("train",)),
    "locks": (locks, ("train", "release", "recover")),
    "leftovers": (partials, ()),
    "best": (best, ()),
}


def examine(root: Path, variables: Collection[str]) -> Examination:
    """Runs all checks of this machine and the clone in `root`; changes nothing.

    Args:
        variables: names of the environment variables; a check lists those that only the predecessor read.
    """
    registered = {**_CHECKS, "variables": (lambda _root: ignored(variables), ())}
    with ThreadPoolExecutor(max_workers=1) as pool:
        remote_finding = pool.submit(_run_check, reachable, root)
        findings = {name: _run_check(check, root) for name, (check, _) in registered.items() if check is not reachable}
        findings["remote"] = remote_finding.result()
    checks = tuple(Check(name, findings[name]) for name in registered)
    failed = [check for check in checks if check.finding.outcome == "failed"]
    return Examination(
        checks,
        tuple(Fitness(task, tuple(check for check in failed if task in registered[check.name][1])) for task in TASKS),
    )


def _run_check(check: _Check, root: Path) -> Finding:
    try:
        return check(root)
    except UserError as error:
        return Finding("failed", error.message, error.hint)
    except Exception as error:
        if (fault := user_error(error)) is not None:
            return Finding("failed", fault.message, fault.hint)
        # A broken installation or clone can raise any error; it must not hide the other checks' findings.
        message = " ".join(f"{type(error).__name__}: {error}".split())
        return Finding("failed", f"cannot be checked: {message}", "`pip install -r requirements.lock`; `git status`")
