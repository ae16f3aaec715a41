"""The trials as DVC keeps them: experiments in Git, by the commit that they change and their name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from gogooku3 import paths
from gogooku3.errors import ConfigError, DataError, GitError
from gogooku3.recovery.releases import git, metrics
from gogooku3.recovery.releases.record import Estimate
from gogooku3.search.space import leaves

_RESULT = paths.metrics_of("validation")


@dataclass(frozen=True)
class Experiment:
    """What a trial left."""

    name: str
    commit: str
    parameters: dict[str, Any]
    """All of them, by dotted key."""
    metrics: dict[str, Any]
    """Those on validation."""

    def estimate(self, metric: str) -> Estimate:
        """A metric on validation with its 95 % interval; raises `DataError` where the evaluation wrote none."""
        try:
            cell = self.metrics[metric]
            return Estimate(cell["value"], cell["low"], cell["high"])
        except (KeyError, TypeError):
            raise _unreadable(self.name, f"it lacks `{metric}`") from None


def parameters(root: Path, rev: str) -> dict[str, Any]:
    """The content of a revision's `params.yaml`; raises `ConfigError` where it has none that could be read."""
    try:
        tree = OmegaConf.to_container(OmegaConf.create(git.show(root, rev, paths.PARAMS) or ""))
    except (YAMLError, OmegaConfBaseException) as error:
        raise ConfigError(
            f"`{paths.PARAMS}` of commit {rev[:10]} cannot be read: {' '.join(str(error).split())}",
            hint="`dvc exp run` composes it; commit it",
        ) from None
    return tree if isinstance(tree, dict) else {}  # type: ignore[return-value]


def reference(commit: str, name: str) -> str:
    """Where DVC keeps an experiment that changes a commit."""
    return f"refs/exps/{commit[:2]}/{commit[2:]}/{name}"


def find(root: Path, commit: str, name: str) -> Experiment | None:
    """The experiment of a name that changes a commit; None where there is none.

    Raises `DataError` for one without a result on validation that could be read.
    """
    try:
        made = git.commit_of(root, reference(commit, name))
    except GitError:
        return None
    try:
        found = metrics.parse(git.show(root, made, _RESULT) or "")
    except ValueError as error:
        raise _unreadable(name, f"it is {error}") from None
    return Experiment(name, made, leaves(parameters(root, made)), found)


def fetch_experiment(root: Path, source: Path, commit: str, name: str) -> None:
    """Takes an experiment over from another clone; nothing happens where that has none of the name."""
    wanted = reference(commit, name)
    if git.run(source, "for-each-ref", wanted):
        git.run(
            root, "fetch", "--quiet", "--no-write-fetch-head", "--", str(source), f"{wanted}:{wanted}", detached=True
        )


def _unreadable(name: str, why: str) -> DataError:
    return DataError(
        f"the experiment `{name}` has no `{_RESULT}` that could be read: {why}",
        hint=f"`dvc exp remove {name}` lets the same command run it again",
    )
