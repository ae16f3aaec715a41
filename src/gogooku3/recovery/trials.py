"""How many experiments a tier's model was chosen from, and how many results on test were seen, as Git remembers it.

The count is of the repository and not of a run: it grows with every experiment, while what a run reads must stay what
it was. So no stage reads it. A run states how many trials its result would survive (`trials_survived`); `promote`
counts how many there were, and the tag records it.
"""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from statistics import variance

import yaml

from gogooku3 import paths
from gogooku3.metrics.returns import SESSIONS_PER_YEAR
from gogooku3.metrics.sharpe_significance import Trials
from gogooku3.recovery.releases import git
from gogooku3.recovery.releases.record import Readings

_Result = tuple[float | None, ...] | str
"""Sharpe ratio and RankIC of a split; the whole text where that is not what the evaluation writes."""


def count(root: Path, tier: str, rev: str | None = None) -> Trials:
    """Different results of a tier among all commits that any reference reaches: experiments, tags, branches, HEAD.

    A result is the Sharpe ratio and the RankIC on validation, by which models are chosen: a commit that leaves them as
    they are is no trial, and neither is an experiment that gave what another had given. What was removed (`dvc exp
    remove`), never committed or lies in another clone is not seen.

    Args:
        rev: a revision whose result is one of the tier, however it was committed: what was chosen from the trials.
    """
    results = _results(root, _of_tier(root, _runs(root, "validation"), tier, rev), "validation")
    ratios = [result[0] for result in results if isinstance(result, tuple) and result[0] is not None]
    return Trials(len(results), variance(ratios) / SESSIONS_PER_YEAR if len(ratios) > 1 else 0.0)


def readings(root: Path, tier: str, rev: str) -> Readings:
    """How many different results on test are known of a tier, and of the very model in its package.

    A result of another model of the tier is known because that one was measured too. Two of one model mean that its
    evaluation was changed after test had been read, under whatever tier.

    Args:
        rev: the revision that holds the model; its result is counted however it was committed.
    """
    runs = [*_runs(root, "test"), rev]
    digest = hashlib.md5((root / paths.PACKAGED_WEIGHTS).read_bytes(), usedforsecurity=False).hexdigest()
    locks = git.blobs(root, runs, paths.LOCK)
    holds = {blob: digest in git.read_blob(root, blob) for blob in {*locks.values()}}
    of_model = [run for run in runs if holds.get(locks.get(run, ""))]
    of_tier = _of_tier(root, runs, tier, rev)
    return Readings(model=len(_results(root, of_model, "test")), tier=len(_results(root, of_tier, "test")))


def _runs(root: Path, split: str) -> list[str]:
    """Commits that changed the metrics of a split or the lock file, among all that any reference reaches.

    The lock file tells a run that gave what stood there already: the package depends on every parameter, the tier
    among them. A commit of parameters alone measured nothing: what it has is of the parameters before.
    """
    files = (str(paths.metrics_of(split)), str(paths.LOCK))
    return git.run(root, "rev-list", "--all", "HEAD", "--full-history", "--", *files).split()


def _of_tier(root: Path, runs: list[str], tier: str, rev: str | None) -> list[str]:
    """Those that were made with the parameters of a tier, and a revision of which that is known."""
    parameters = git.blobs(root, runs, paths.PARAMS)
    tiers = {blob: _tier(git.read_blob(root, blob)) for blob in {*parameters.values()}}
    return [run for run in runs if tiers.get(parameters.get(run, "")) == tier] + ([] if rev is None else [rev])


def _results(root: Path, runs: list[str], split: str) -> set[_Result]:
    """The different results on a split."""
    blobs = {*git.blobs(root, runs, paths.metrics_of(split)).values()}
    return {_measured(git.read_blob(root, blob)) for blob in blobs}


def _tier(text: str) -> str | None:
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    return str(content.get("tier")) if isinstance(content, dict) else None


def _measured(text: str) -> _Result:
    """What two trials differ in, the Sharpe ratio first."""
    try:
        table = json.loads(text)
        values = (table["sharpe"]["value"], *(cell["value"] for cell in table["rank_ic"].values()))
        return values if all(value is None or math.isfinite(value) for value in values) else text
    except (ValueError, KeyError, TypeError, AttributeError):
        return text
