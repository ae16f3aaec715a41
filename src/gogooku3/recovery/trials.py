"""How many experiments a tier's model was chosen from, and how often test was read, as the repository remembers it.

The count is of the repository and not of a run: it grows with every experiment, while what a run reads must stay what
it was. So no stage reads it. A run states how many trials its result would survive (`trials_survived`); `promote`
counts how many there were, and the tag records it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import yaml

from gogooku3.recovery.releases import git
from gogooku3.recovery.releases.layout import LOCK, WEIGHTS
from gogooku3.recovery.releases.record import Readings


def count(root: Path, tier: str) -> int:
    """Different results of a tier among all commits that any reference reaches: experiments, tags, branches, HEAD.

    A result is the Sharpe ratio and the RankIC on validation, by which models are chosen: a commit that leaves them as
    they are is no trial, and neither is an experiment that gave what another had given. What was removed (`dvc exp
    remove`), never committed or lies in another clone is not seen.
    """
    commits = _commits(root, tier, "validation")
    return len(_results(root, commits, "validation"))


def readings(root: Path, tier: str) -> Readings:
    """How many different results on test are known of a tier, and of the very model in its package.

    A result of another model of the tier is known because that one was measured too. Two of one model mean that its
    evaluation was changed after test had been read.
    """
    commits = _commits(root, tier, "test")
    digest = hashlib.md5((root / WEIGHTS).read_bytes(), usedforsecurity=False).hexdigest()
    locks = git.blobs(root, commits, str(LOCK))
    holds = {blob: digest in git.read_blob(root, blob) for blob in {*locks.values()}}
    of_model = [commit for commit in commits if holds.get(locks.get(commit, ""))]
    return Readings(model=len(_results(root, of_model, "test")), tier=len(_results(root, commits, "test")))


def _commits(root: Path, tier: str, split: str) -> list[str]:
    """Commits of a tier that changed its metrics of a split, among all that any reference reaches."""
    commits = git.run(root, "rev-list", "--all", "HEAD", "--full-history", "--", _metrics(split)).split()
    parameters = git.blobs(root, commits, "params.yaml")
    tiers = {blob: _tier(git.read_blob(root, blob)) for blob in {*parameters.values()}}
    return [commit for commit in commits if tiers.get(parameters.get(commit, "")) == tier]


def _results(root: Path, commits: list[str], split: str) -> set[str]:
    """The different results on a split."""
    blobs = {*git.blobs(root, commits, _metrics(split)).values()}
    return {_measured(git.read_blob(root, blob)) for blob in blobs}


def _metrics(split: str) -> str:
    return f"metrics/{split}.json"


def _tier(text: str) -> str | None:
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    return str(content.get("tier")) if isinstance(content, dict) else None


def _measured(text: str) -> str:
    """What two trials differ in; the whole text where it is not what the evaluation writes."""
    try:
        table = json.loads(text)
        values = [table["sharpe"]["value"], *(cell["value"] for cell in table["rank_ic"].values())]
    except (ValueError, KeyError, TypeError, AttributeError):
        return text
    return json.dumps(values)
