"""Hyperparameter search loop: propose values, run the trial, record the result, up to the requested number of trials.

A trial is the experiment `NAME-NUMBER` of the commit at which the search started. An existing experiment is reused, so
a killed search resumes, and a lost study file is rebuilt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gogooku3 import config, paths
from gogooku3.config import Params
from gogooku3.errors import ConfigError, GitError, InterruptionError, RefusedError, UserError, abbreviate
from gogooku3.recovery.releases import git
from gogooku3.recovery.trials import require_full_history
from gogooku3.runtime.files import exclusive
from gogooku3.search import experiments, trial
from gogooku3.search.experiments import Experiment
from gogooku3.search.outcome import Outcome, outcome
from gogooku3.search.space import Space, Values, check, leaves
from gogooku3.search.study import FinishedTrial, Study
from gogooku3.search.workspace import Workspace

_OF_A_TRIAL = (paths.PARAMS, paths.PIPELINE, paths.LIBRARIES, paths.SOURCE)
"""Paths that a trial takes from the commit, in addition to `*.dvc` files, which name the data that DVC tracks."""

Progress = Callable[[str, float, int], None]
Say = Callable[[str], None]


def search(
    root: Path,
    space: Space,
    name: str,
    *,
    again: str,
    preflight: Callable[[Params], None],
    progress: Progress = lambda _what, _done, _total: None,
    say: Say = lambda _line: None,
) -> Outcome:
    """Runs the missing trials of a search of the commit at HEAD.

    Of the working tree only `logs/search` is changed; the repository gets an experiment for each trial.

    Args:
        name: prefix of the experiments `NAME-0`, `NAME-1`, …
        again: the command that resumes the search.
        preflight: raises `UserError` if the parameters of a trial are impossible.
        progress: called with the current trial and stage, and the number of finished trials.
        say: called with the result of each trial, as text.

    Raises:
        ConfigError: the space does not match the parameters, or the search was started with another space.
        RefusedError: files that trials use are not committed, the clone is shallow, or another process runs this
            search.
        InterruptionError: the search or a trial received SIGINT (Ctrl-C), SIGTERM or SIGHUP.
        UserError: a trial failed for a reason unrelated to its parameters: machine, bucket, Git, killed.
    """
    commit = git.commit_of(root, "HEAD")
    tree = experiments.parameters(root, commit)
    check(space, tree, preflight)
    objective = space.objective or config.parse(tree).tier.metric
    _require_name(root, commit, name)
    _require_committed(root)
    require_full_history(root)
    folder = root / paths.SEARCHES / name
    with _lock(folder, name), trial.Stop() as stop:
        study = Study(folder / "study.sqlite3", commit, space)
        committed = leaves(tree)
        first = {each: committed[each] for each in space.parameters}
        trials = _Trials(root, commit, name, objective, study, first, stop)
        done = len(study.finished)
        try:
            for number in range(done, space.trials):
                done = number
                say(trials.run(number, _at(progress, number, space.trials)))
        except UserError as error:
            if stop.by is None:
                raise
            raise InterruptionError(
                f"stopped by {stop.by}: {done} of {space.trials} trials are done",
                hint=f"`{again}` resumes; trial {done} keeps its finished stages and checkpoints",
            ) from error
        trials.workspace.remove()
        return outcome(root, commit, name, config.parse(tree), objective, study.finished)


class _Trials:
    """Runs trials, one after the other."""

    def __init__(
        self, root: Path, commit: str, name: str, objective: str, study: Study, first: Values, stop: trial.Stop
    ) -> None:
        self._root, self._commit, self._name, self._objective = root, commit, name, objective
        self._study, self._first, self._stop = study, first, stop
        self._folder = root / paths.SEARCHES / name
        self.workspace = Workspace(root, self._folder / "workspace", commit)
        self._prepared = False

    def run(self, number: int, progress: Callable[[str], None]) -> str:
        """Runs the next trial, or reuses its existing experiment, and records it; returns the result as text."""
        name = f"{self._name}-{number}"
        progress(f"trial {number}")
        experiment = self._find(name)
        if experiment is None:
            values = self._values()
            duplicate = next((trial for trial in self._study.finished if trial.values == values), None)
            if duplicate is not None:
                self._study.record(duplicate)
                return f"trial {number}: same parameters as {_named(duplicate)}"
            reason = self._run(name, values, lambda stage: progress(f"trial {number}: {stage}"))
            experiment = self._find(name)
            if experiment is None:
                self._require_not_stopped()
                self._study.record(FinishedTrial(values, reason=reason or "it left no experiment"))
                return f"trial {number}: failed: {reason}"
        return f"trial {number}: {self._record(name, experiment)}"

    def _values(self) -> Values:
        """The commit's own values come first if they are in the space, as the baseline of the search."""
        if not self._study.finished and self._study.contains(self._first):
            return self._first
        return self._study.propose()

    def _run(self, name: str, values: Values, progress: Callable[[str], None]) -> str | None:
        """Runs an experiment; returns the reason of its failure, or None."""
        self._require_not_stopped()
        if not self._prepared:
            self.workspace.prepare()
            self._prepared = True
        self.workspace.clear()
        try:
            reason = self._experiment(name, values, progress)
        except trial.DvcFailedError:
            # A killed trial may have left half-written files: a clean checkout removes them.
            self._require_not_stopped()
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

    def _record(self, name: str, experiment: Experiment) -> str:
        values = {each: experiment.parameters.get(each) for each in self._first}
        if not self._study.contains(values):
            listed = ", ".join(f"`{key}` {value}" for key, value in values.items())
            raise ConfigError(
                f"the experiment `{name}` exists with {listed}, which is not in the space",
                hint="it belongs to another search: use `--study NAME` to start a new one",
            )
        result = experiment.estimate(self._objective)
        if result.value is None:
            reason = f"its {self._objective} on validation is undefined"
            self._study.record(FinishedTrial(values, reason=reason))
            return f"failed: {reason}"
        self._study.record(FinishedTrial(values, result.value, name))
        return f"{self._objective} {result}, experiment `{name}`"

    def _require_not_stopped(self) -> None:
        if self._stop.by is not None:
            raise InterruptionError(f"stopped by {self._stop.by}", hint="the same command resumes")


def _at(progress: Progress, done: int, total: int) -> Say:
    return lambda step: progress(step, done, total)


def _named(trial: FinishedTrial) -> str:
    return f"one that failed: {trial.reason}" if trial.experiment is None else f"`{trial.experiment}`"


@contextmanager
def _lock(folder: Path, name: str) -> Iterator[None]:
    """Context manager: holds the lock of a search."""

    def busy(process: str) -> RefusedError:
        return RefusedError(
            f"the search `{name}` is already running{process}",
            hint="wait for it, or start another search: `--study NAME`",
        )

    with exclusive(folder / "in-use", busy):
        yield


def _require_name(root: Path, commit: str, name: str) -> None:
    try:
        git.run(root, "check-ref-format", experiments.reference(commit, f"{name}-0"))
    except GitError:
        valid = False
    else:
        valid = "/" not in name
    if not valid:
        raise ConfigError(
            f"`{name}` cannot be part of an experiment's name", hint="use letters, digits and dashes: `--study NAME`"
        )


def _require_committed(root: Path) -> None:
    changed = [line for line in git.changes(root) if _is_of_a_trial(line[3:].strip('"'))]
    if changed:
        listed = abbreviate(map(str.strip, changed), separator="; ")
        raise RefusedError(
            f"trials run from the commit, without uncommitted changes: {listed}",
            hint="commit them (`git add`, `git commit`), or stash them (`git stash`)",
        )


def _is_of_a_trial(path: str) -> bool:
    return path.endswith(".dvc") or any(Path(path).is_relative_to(each) for each in _OF_A_TRIAL)
