"""Where trials run: a clone of the search's own, that shares the repository's cache.

`dvc exp run --temp` would not do. It writes `params.yaml` into the working tree, detaches HEAD and stashes what is not
committed: a kill at that moment takes the user's work apart. And each run begins in a new folder, where no training
state is found again, nor what was finished before a kill. Here nobody's files are touched, and a trial begins where the
last one ended, by which only stages run whose inputs are others; what comes out depends on the inputs alone.
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
from gogooku3.recovery.releases.clone import LOCAL_SETTINGS, take_settings
from gogooku3.recovery.reproduction.pipeline import overlap
from gogooku3.runtime.files import replaced
from gogooku3.search.trial import MARK

_PATIENCE_S = 60.0
"""That a trial of a killed search is given to save its state and end."""


class Workspace:
    """A clone at one commit."""

    def __init__(self, root: Path, folder: Path, commit: str) -> None:
        self.folder = folder
        self._root, self._commit = root, commit

    def prepare(self) -> None:
        """Makes the clone, or takes the one that is there, with the repository's settings and cache.

        Raises:
            GitError: it cannot be cloned.
            MachineError: a trial of a killed search is still at work in it, and does not end.
        """
        _end(str(self.folder))
        new = not (self.folder / ".git").is_dir()
        if new:
            with replaced(self.folder) as clone:
                git.run(clone, "clone", "--quiet", "--no-checkout", "--", str(self._root), ".")
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
        """Readies it for a trial: removes locks and references that the last one left, and keeps its files."""
        self._unlock()
        stale = git.run(self.folder, "for-each-ref", "--format=delete %(refname)", "refs/exps", "refs/stash")
        if stale:
            git.run(self.folder, "update-ref", "--stdin", given=stale)
        git.run(self.folder, "update-ref", "--no-deref", "HEAD", self._commit)
        git.run(self.folder, "reset", "--quiet")

    def reset(self) -> None:
        """The commit's files as they are in Git; what Git and DVC ignore stays, training states among it."""
        self._unlock()
        git.run(self.folder, "checkout", "--quiet", "--force", "--detach", self._commit)

    def remove(self) -> None:
        """Removes the clone."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _share(self) -> None:
        local = self._root / LOCAL_SETTINGS
        take_settings(local if local.is_file() else None, self.folder)
        with Repo(str(self._root)) as repo:
            cache = repo.cache.local_cache_dir
        with Repo(str(self.folder)) as clone, clone.config.edit("local") as settings:
            settings.setdefault("cache", {})["dir"] = cache

    def _setting(self, name: str) -> str:
        try:
            return git.run(self._root, "config", "--get", name).strip()
        except GitError:  # nobody has set it
            return ""

    def _unlock(self) -> None:
        """Removes the locks of killed processes of Git and DVC: none is at work here."""
        for lock in (self.folder / ".git").rglob("*.lock"):
            lock.unlink()
        shutil.rmtree(self.folder / ".dvc/tmp", ignore_errors=True)

    def _link_inputs(self) -> None:
        """Puts a link in the place of each input that neither Git nor DVC brings and that the repository has."""
        with Repo(str(self.folder)) as repo:
            outs = [out.fs_path for out in repo.index.outs]
            inputs = {
                dep.def_path
                for stage in repo.index.stages
                for dep in stage.deps
                if not isinstance(dep, ParamsDependency) and not any(overlap(dep.fs_path, out) for out in outs)
            }
        for name in sorted(inputs):
            here, there = self.folder / name, self._root / name
            if not here.exists() and there.exists():
                here.parent.mkdir(parents=True, exist_ok=True)
                here.symlink_to(there.resolve())


def _end(mark: str) -> None:
    """Ends the processes of a trial whose search was killed: first as Ctrl-C does, which saves its state."""
    for number in (signal.SIGINT, signal.SIGKILL):
        for process in _of_trial(mark):
            process.send_signal(number)
        until = time.monotonic() + _PATIENCE_S
        while _of_trial(mark) and time.monotonic() < until:
            time.sleep(0.1)
    left = [f"PID {process.pid}" for process in _of_trial(mark)]
    if left:
        raise MachineError(f"a trial of this search is still at work: {abbreviate(left)}", hint="end it first")


def _of_trial(mark: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark:
                found.append(process)
        except (psutil.Error, OSError):  # it has ended, or is somebody else's
            continue
    return found
