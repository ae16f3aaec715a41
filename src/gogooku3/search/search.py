"""`search`: proposes, tries and remembers, trial by trial, until as many as were asked for are done.

A trial is the experiment `NAME-NUMBER` of the commit at which the search was begun. One that is there already is taken
as it is: so a killed search goes on, and one whose memory was lost is filled again.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gogooku3 import paths
from gogooku3.errors import ConfigError, GitError, InterruptionError, RefusedError, UserError, abbreviate
from gogooku3.recovery.releases import git
from gogooku3.search import experiments, trial
from gogooku3.search.experiments import Experiment
from gogooku3.search.outcome import Outcome, outcome
from gogooku3.search.space import Space, Values, check, leaves
from gogooku3.search.study import Known, Study
from gogooku3.search.workspace import Workspace

_OF_A_TRIAL = (*map(str, (paths.PARAMS, paths.PIPELINE, paths.LIBRARIES, paths.SOURCE)), ":(glob)**/*.dvc")
"""What a trial takes from the commit; the data that DVC keeps are those of the commit's `*.dvc`."""

Progress = Callable[[str, float, int], None]
Say = Callable[[str], None]


def search(
    root: Path,
    space: Space,
    name: str,
    *,
    again: str,
    progress: Progress = lambda _what, _done, _total: None,
    say: Say = lambda _line: None,
) -> Outcome:
    """Makes the trials that are missing of a search of the commit at HEAD.

    The working tree is left alone but for `logs/search`; the repository gets an experiment for each trial.

    Args:
        name: the experiments are called `NAME-0`, `NAME-1`, …
        again: the command that goes on with the search.
        progress: is told the trial and stage at hand, and how many trials are done.
        say: is told how each trial ended.

    Raises:
        ConfigError: the space does not fit the parameters, or the search was begun with another one.
        RefusedError: what trials are run from is not committed, or another process is at this search.
        InterruptionError: Ctrl-C or SIGTERM, of the search or of a trial.
        UserError: a trial failed in a way that says nothing of its parameters: machine, bucket, Git, killed.
    """
    commit = git.commit_of(root, "HEAD")
    tree = experiments.parameters(root, commit)
    check(space, tree)
    _require_name(root, commit, name)
    _require_committed(root)
    folder = root / paths.SEARCHES / name
    with _alone(folder, name), trial.Stop() as stop:
        study = Study(folder / "study.sqlite3", commit, space)
        committed = leaves(tree)
        first = {each: committed[each] for each in space.parameters}
        trials = _Trials(root, commit, name, space.objective, study, first, stop)
        done = len(study.known)
        try:
            for number in range(done, space.trials):
                done = number
                say(trials.make(number, _at(progress, number, space.trials)))
        except UserError as error:
            if stop.by is None:
                raise
            raise InterruptionError(
                f"stopped by {stop.by}: {done} of {space.trials} trials are done",
                hint=f"`{again}` goes on; of trial {done} stays what it had finished and saved",
            ) from error
        trials.workspace.remove()
        return outcome(root, commit, name, str(tree["tier"]), space.objective, study.known)


class _Trials:
    """Makes trials, one after the other."""

    def __init__(
        self, root: Path, commit: str, name: str, objective: str, study: Study, first: Values, stop: trial.Stop
    ) -> None:
        self._root, self._commit, self._name, self._objective = root, commit, name, objective
        self._study, self._first, self._stop = study, first, stop
        self._folder = root / paths.SEARCHES / name
        self.workspace = Workspace(root, self._folder / "workspace", commit)
        self._prepared = False

    def make(self, number: int, progress: Callable[[str], None]) -> str:
        """Makes the next trial, or takes the experiment that is there, and records it; says how it ended."""
        name = f"{self._name}-{number}"
        progress(f"trial {number}")
        made = self._find(name)
        if made is None:
            values = self._values()
            twin = next((known for known in self._study.known if known.values == values), None)
            if twin is not None:
                self._study.record(twin)
                return f"trial {number}: has the parameters of {_named(twin)}"
            reason = self._run(name, values, lambda stage: progress(f"trial {number}: {stage}"))
            made = self._find(name)
            if made is None:
                self._require_going_on()
                self._study.record(Known(values, reason=reason or "it left no experiment"))
                return f"trial {number}: failed: {reason}"
        return f"trial {number}: {self._record(name, made)}"

    def _values(self) -> Values:
        """What the commit itself has comes first, where it lies in the space: what every other one is better than."""
        if not self._study.known and self._study.holds(self._first):
            return self._first
        return self._study.propose()

    def _run(self, name: str, values: Values, progress: Callable[[str], None]) -> str | None:
        """Why it failed, or None."""
        self._require_going_on()
        if not self._prepared:
            self.workspace.prepare()
            self._prepared = True
        self.workspace.clear()
        try:
            reason = self._experiment(name, values, progress)
        except trial.DvcFailedError:
            # Something half-written that a killed trial left, perhaps: nothing of it is left in a clean checkout.
            self._require_going_on()
            self.workspace.reset()
            self.workspace.clear()
            reason = self._experiment(name, values, progress)
        experiments.fetch_experiment(self._root, self.workspace.folder, self._commit, name)
        return reason

    def _experiment(self, name: str, values: Values, progress: Callable[[str], None]) -> str | None:
        log = self._folder / f"{name}.log"
        return trial.run(self.workspace.folder, name, values, log, self._stop, progress)

    def _find(self, name: str) -> Experiment | None:
        return experiments.find(self._root, self._commit, name)

    def _record(self, name: str, made: Experiment) -> str:
        values = {each: made.parameters.get(each) for each in self._first}
        if not self._study.holds(values):
            told = ", ".join(f"`{key}` {value}" for key, value in values.items())
            raise ConfigError(
                f"the experiment `{name}` is there, with {told}, which is not in the space",
                hint="it is another search's: `--study NAME` begins one beside it",
            )
        found = made.estimate(self._objective)
        if found.value is None:
            reason = f"its {self._objective} on validation is undefined"
            self._study.record(Known(values, reason=reason))
            return f"failed: {reason}"
        self._study.record(Known(values, found.value, name))
        return f"{self._objective} {found}, experiment `{name}`"

    def _require_going_on(self) -> None:
        if self._stop.by is not None:
            raise InterruptionError(f"stopped by {self._stop.by}", hint="the same command goes on")


def _at(progress: Progress, done: int, total: int) -> Say:
    return lambda what: progress(what, done, total)


def _named(known: Known) -> str:
    return f"one that failed: {known.reason}" if known.experiment is None else f"`{known.experiment}`"


@contextmanager
def _alone(folder: Path, name: str) -> Iterator[None]:
    """Holds a lock on a search; the system lets go of it when the process ends, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "in-use").open("w") as mark:
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RefusedError(
                f"another process is at the search `{name}`", hint="wait for it, or begin one beside it: `--study NAME`"
            ) from None
        yield


def _require_name(root: Path, commit: str, name: str) -> None:
    try:
        git.run(root, "check-ref-format", experiments.reference(commit, f"{name}-0"))
    except GitError:
        name_fits = False
    else:
        name_fits = "/" not in name
    if not name_fits:
        raise ConfigError(
            f"`{name}` cannot be part of an experiment's name", hint="use letters, digits and dashes: `--study NAME`"
        )


def _require_committed(root: Path) -> None:
    changed = git.run(root, "status", "--porcelain", "--untracked-files=all", "--", *_OF_A_TRIAL).splitlines()
    if changed:
        told = abbreviate(map(str.strip, changed), separator="; ")
        raise RefusedError(
            f"trials are run from the commit, without what is not in it: {told}",
            hint="commit it (`git add`, `git commit`), or put it aside (`git stash`)",
        )
