"""Workspace of the trials: a clone that belongs to the search and shares the repository's DVC cache.

`dvc exp run --temp` is not suitable. It writes `params.yaml` to the working tree, detaches HEAD and stashes uncommitted
changes: a kill at that moment leaves the user's working tree in disorder. And each run starts in a new folder, without
the checkpoints and finished stages from before a kill. In this clone the user's files are not touched, and a trial
starts where the last one ended, so only stages with changed inputs run; results depend only on the inputs.
"""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped]
from dvc.dependency.param import ParamsDependency
from dvc.repo import Repo

from gogooku3.errors import GitError, MachineError, abbreviate
from gogooku3.recovery.releases import git
from gogooku3.recovery.releases.clone import LOCAL_SETTINGS, SITE_CACHE, apply_settings, make_site_cache
from gogooku3.recovery.reproduction.pipeline import overlap
from gogooku3.runtime.files import replaced
from gogooku3.search.trial import MARK

_TIMEOUT_S = 60.0
"""Timeout for a trial of a killed search to save its checkpoint and end."""


class Workspace:
    """A clone at one commit."""

    def __init__(self, root: Path, folder: Path, commit: str) -> None:
        self.folder = folder
        self._root, self._commit = root, commit

    def prepare(self) -> None:
        """Creates the clone, or reuses the existing one, with the repository's settings and cache.

        Raises:
            GitError: the repository cannot be cloned.
            MachineError: a trial of a killed search still runs in it, and does not end.
        """
        _end(str(self.folder))
        new = not (self.folder / ".git").is_dir()
        if new:
            with replaced(self.folder) as clone:
                git.clone(str(self._root), clone)
        self._unlock()
        source = (str(self._root), "HEAD")
        git.run(self.folder, "fetch", "--quiet", "--no-write-fetch-head", "--tags", "--force", "--", *source)
        for name in ("user.name", "user.email"):
            if value := self._setting(name):
                git.run(self.folder, "config", name, value)
        if new or git.commit_of(self.folder, "HEAD") != self._commit:
            self.reset()
        self._share()
        self._link_inputs()

    def clear(self) -> None:
        """Prepares the clone for a trial: removes stale locks and references, keeps the files of the last trial."""
        self._unlock()
        stale = git.run(self.folder, "for-each-ref", "--format=delete %(refname)", "refs/exps", "refs/stash")
        if stale:
            git.run(self.folder, "update-ref", "--stdin", stdin=stale)
        git.run(self.folder, "update-ref", "--no-deref", "HEAD", self._commit)
        git.run(self.folder, "reset", "--quiet")

    def reset(self) -> None:
        """Checks out the commit's files; files that Git and DVC ignore stay, such as checkpoints."""
        self._unlock()
        git.run(self.folder, "checkout", "--quiet", "--force", "--detach", self._commit)

    def remove(self) -> None:
        """Removes the clone."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _share(self) -> None:
        local = self._root / LOCAL_SETTINGS
        apply_settings(local if local.is_file() else None, self.folder)
        with Repo(str(self._root)) as repo:
            cache = repo.cache.local_cache_dir
        with Repo(str(self.folder)) as clone, clone.config.edit("local") as settings:
            settings.setdefault("cache", {})["dir"] = cache
            settings.setdefault("core", {}).setdefault("site_cache_dir", str(self.folder / SITE_CACHE))

    def _setting(self, name: str) -> str:
        try:
            return git.run(self._root, "config", "--get", name).strip()
        except GitError:  # not set
            return ""

    def _unlock(self) -> None:
        """Removes stale locks of killed Git and DVC processes; none is running here."""
        for lock in (self.folder / ".git").rglob("*.lock"):
            lock.unlink()
        shutil.rmtree(self.folder / ".dvc/tmp", ignore_errors=True)
        make_site_cache(self.folder)

    def _link_inputs(self) -> None:
        """Links each input that neither Git nor DVC provides to the repository's file, if it exists there."""
        with Repo(str(self.folder)) as repo:
            outs = [out.fs_path for out in repo.index.outs]
            inputs = {
                dep.def_path
                for stage in repo.index.stages
                for dep in stage.deps
                if not isinstance(dep, ParamsDependency) and not any(overlap(dep.fs_path, out) for out in outs)
            }
        for name in sorted(inputs):
            link, target = self.folder / name, self._root / name
            if not link.exists() and target.exists():
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(target.resolve())


def _end(mark: str) -> None:
    """Ends the processes of a trial whose search was killed: first with SIGINT, which saves a checkpoint."""
    for number in (signal.SIGINT, signal.SIGKILL):
        for process in _trial_processes(mark):
            process.send_signal(number)
        deadline = time.monotonic() + _TIMEOUT_S
        while _trial_processes(mark) and time.monotonic() < deadline:
            time.sleep(0.1)
    running = [f"PID {process.pid}" for process in _trial_processes(mark)]
    if running:
        raise MachineError(f"a trial of this search is still running: {abbreviate(running)}", hint="end it first")


def _trial_processes(mark: str) -> list[psutil.Process]:
    processes = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark:
                processes.append(process)
        except (psutil.Error, OSError):  # it has ended, or belongs to another user
            continue
    return processes
