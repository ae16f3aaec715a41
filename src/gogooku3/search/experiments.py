"""Trials as DVC experiments: Git references, by base commit and name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from gogooku3 import paths
from gogooku3.errors import ConfigError, DataError, GitError
from gogooku3.package.results import objective_of
from gogooku3.recovery.releases import git, metrics
from gogooku3.recovery.releases.estimates import Estimate
from gogooku3.search.space import leaves

_RESULT = paths.metrics_of("validation")


@dataclass(frozen=True)
class Experiment:
    """Parameters and metrics of a finished trial."""

    name: str
    commit: str
    parameters: dict[str, Any]
    """All parameters, by dotted key."""
    metrics: dict[str, Any]
    """Validation metrics."""

    def estimate(self, metric: str) -> Estimate:
        """A validation metric (`tier.metric`) with its 95 % interval; raises `DataError` if it is missing."""
        try:
            cell = objective_of(self.metrics, metric)
            return Estimate(cell["value"], cell["low"], cell["high"])
        except (KeyError, TypeError):
            raise _unreadable(self.name, f"it lacks `{metric}`") from None


def parameters(root: Path, rev: str) -> dict[str, Any]:
    """The content of a revision's `params.yaml`; raises `ConfigError` if it cannot be read."""
    try:
        tree = OmegaConf.to_container(OmegaConf.create(git.show(root, rev, paths.PARAMS) or ""))
    except (YAMLError, OmegaConfBaseException) as error:
        raise ConfigError(
            f"`{paths.PARAMS}` of commit {rev[:10]} cannot be read: {' '.join(str(error).split())}",
            hint="compose it with `dvc exp run`, and commit it",
        ) from None
    return tree if isinstance(tree, dict) else {}  # type: ignore[return-value]


def reference(commit: str, name: str) -> str:
    """Git reference of an experiment with a base commit, as DVC names it."""
    return f"refs/exps/{commit[:2]}/{commit[2:]}/{name}"


def find(root: Path, commit: str, name: str) -> Experiment | None:
    """The experiment with a base commit and name; None if it does not exist.

    Raises `DataError` if its validation metrics cannot be read.
    """
    try:
        tip = git.commit_of(root, reference(commit, name))
    except GitError:
        return None
    try:
        table = metrics.parse(git.show(root, tip, _RESULT) or "")
    except ValueError as error:
        raise _unreadable(name, f"it is {error}") from None
    return Experiment(name, tip, leaves(parameters(root, tip)), table)


def fetch_experiment(root: Path, source: Path, commit: str, name: str) -> None:
    """Fetches an experiment from another clone; does nothing if it does not exist there."""
    ref = reference(commit, name)
    if git.run(source, "for-each-ref", ref):
        git.run(root, "fetch", "--quiet", "--no-write-fetch-head", "--", str(source), f"{ref}:{ref}", detached=True)


def _unreadable(name: str, reason: str) -> DataError:
    return DataError(
        f"the experiment `{name}` has no readable `{_RESULT}`: {reason}",
        hint=f"remove it with `dvc exp remove {name}`; the same command then runs it again",
    )
