"""How many experiments a tier's model was chosen from, as the repository itself remembers them.

The count is of the repository and not of a run: it grows with every experiment, while what a run reads must stay what
it was. So no stage reads it. A run states how many trials its result would survive (`trials_survived`); `promote`
counts how many there were, and the tag records it.
"""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from gogooku3.recovery.releases import git

_RESULT = "metrics/validation.json"


def count(root: Path, tier: str) -> int:
    """Different results of a tier among all commits that any reference reaches: experiments, tags, branches, HEAD.

    A result is the Sharpe ratio and the RankIC on validation, by which models are chosen: a commit that leaves them as
    they are is no trial, and neither is an experiment that gave what another had given. What was removed (`dvc exp
    remove`), never committed or lies in another clone is not seen.
    """
    commits = git.run(root, "rev-list", "--all", "HEAD", "--full-history", "--", _RESULT).split()
    results = git.blobs(root, commits, _RESULT)
    parameters = git.blobs(root, commits, "params.yaml")
    tiers = {blob: _tier(git.read_blob(root, blob)) for blob in {*parameters.values()}}
    chosen = {
        results[commit] for commit in commits if commit in results and tiers.get(parameters.get(commit, "")) == tier
    }
    return len({_measured(git.read_blob(root, blob)) for blob in chosen})


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
