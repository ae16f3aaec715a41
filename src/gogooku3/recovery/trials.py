"""Counts from Git the trials (experiments) a tier's model was chosen from, and the test results that were seen.

The number of trials corrects the Sharpe ratio for selection bias (multiple testing). It belongs to the repository, not
to a run: it grows with every experiment, while a run's inputs must not change, so no stage reads it. A run states how
many trials its result would survive (`trials_survived`); `promote` counts the actual trials, and the tag records them.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from pathlib import Path
from statistics import variance

import yaml

from gogooku3 import paths
from gogooku3.config.tier import name_of
from gogooku3.errors import RefusedError
from gogooku3.metrics.returns import SESSIONS_PER_YEAR
from gogooku3.metrics.sharpe_significance import Trials
from gogooku3.metrics.split_file import table_of
from gogooku3.recovery.releases import git, tags
from gogooku3.recovery.releases.package_commit import recorded_paths
from gogooku3.recovery.releases.record import Readings, parse
from gogooku3.recovery.untrusted import load_yaml

Result = tuple[float | None, ...] | str
"""Sharpe ratio and RankIC of a split; the whole text if it is not in the evaluation's format."""

_REFERENCES = ("--branches", "--remotes", "--tags", "--glob=refs/exps/[0-9a-f][0-9a-f]/*", "HEAD")
"""Branches, tags and experiments; neither stashes nor the references of a running DVC, which clones do not have."""


def count(root: Path, tier: str, rev: str | None = None, lineage: Iterable[str] = ()) -> Trials:
    """Counts the different results of a tier in all commits reachable from experiments, tags, branches and HEAD.

    A result is the Sharpe ratio and the RankIC on validation, by which models are chosen: a commit that does not change
    them is not a trial, and two experiments with the same result are one trial. Removed experiments (`dvc exp remove`),
    uncommitted ones and those in other clones are not counted.

    Args:
        rev: a revision whose result always counts for the tier: the model chosen from the trials.
        lineage: other tiers whose results count too: those of the releases that the model was trained from: the best
            of a tier was chosen among its trials.

    Raises:
        RefusedError: the clone is shallow.
    """
    require_full_history(root)
    results = _results(root, _of_tiers(root, runs(root, "validation"), {tier, *lineage}, rev), "validation")
    tables = [result for result in results if isinstance(result, tuple)]
    means = [mean for table in tables if (mean := _mean(table[1:])) is not None]
    ratios = [result[0] for result in results if isinstance(result, tuple) and result[0] is not None]
    return Trials(
        len(results),
        variance(ratios) / SESSIONS_PER_YEAR if len(ratios) > 1 else 0.0,
        variance(means) if len(means) > 1 else 0.0,
    )


def _mean(values: Iterable[float | None]) -> float | None:
    """The mean RankIC over the horizons; None if one is undefined."""
    known = list(values)
    defined = [value for value in known if value is not None]
    return sum(defined) / len(defined) if defined and len(defined) == len(known) else None


def readings(root: Path, tier: str, rev: str) -> Readings:
    """Counts the different results on the test split of a tier's models, and of the model in the current package.

    Results of other models of the tier exist because those were evaluated too. Two results of one model mean that its
    evaluation changed after its test result was seen, in any tier.

    Args:
        rev: the revision of the model; its result always counts.

    Raises:
        RefusedError: the clone is shallow.
    """
    require_full_history(root)
    revs = [*runs(root, "test"), rev]
    digest = hashlib.md5((root / paths.PACKAGED_WEIGHTS).read_bytes(), usedforsecurity=False).hexdigest()
    locks = git.blobs(root, revs, paths.LOCK)
    has_model = {blob: bool(recorded_paths(git.read_blob(root, blob), digest)) for blob in {*locks.values()}}
    of_model = [run for run in revs if has_model.get(locks.get(run, ""))]
    of_tier = _of_tiers(root, revs, {tier}, rev)
    return Readings(model=len(_results(root, of_model, "test")), tier=len(_results(root, of_tier, "test")))


def lineage_tiers(registry: tags.Registry, tier: str, start_from: str | None) -> list[str]:
    """The other tiers among the releases that a model was trained from, the nearest first.

    Args:
        start_from: the tag of the release that its training started from; None or `scratch` without one.
    """
    found: dict[str, None] = {}
    seen: set[str] = set()
    while start_from is not None and start_from not in seen:
        seen.add(start_from)
        name = start_from
        release = next((each for each in registry.releases if each.tag.name == name), None)
        if release is None:
            break
        found[release.tier] = None
        record = parse(release.tag.message)
        start_from = None if record is None or record.parent is None else record.parent.tag
    return [each for each in found if each != tier]


def require_full_history(root: Path) -> None:
    """Refuses a shallow clone: trials whose commits are missing would not be counted."""
    if git.run(root, "rev-parse", "--is-shallow-repository").strip() == "true":
        raise RefusedError(
            "this is a shallow clone: the trials of the commits that it lacks cannot be counted",
            hint="get the full history with `git fetch --unshallow --tags`",
        )


def runs(root: Path, split: str) -> list[str]:
    """Commits that changed the metrics of a split or the lock file, among all that are reachable from a reference.

    The lock file shows a run with unchanged metrics: the package depends on every parameter, including the tier. A
    commit of parameters alone is not a run: its metrics belong to the parameters before it.
    """
    files = (str(paths.metrics_of(split)), str(paths.LOCK))
    return git.run(root, "rev-list", *_REFERENCES, "--full-history", "--", *files).split()


def tier_of(text: str) -> str | None:
    """The tier that a `params.yaml` configures; None if it cannot be read."""
    try:
        content = load_yaml(text)
    except yaml.YAMLError:
        return None
    return name_of(content) if isinstance(content, dict) else None


def result_of(text: str) -> Result:
    """The values of a split's metrics that distinguish two trials, the Sharpe ratio first."""
    try:
        table = table_of(json.loads(text))
        values = (table["sharpe"]["value"], *(cell["value"] for cell in table["rank_ic"].values()))
        return values if all(value is None or math.isfinite(value) for value in values) else text
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return text


def _of_tiers(root: Path, revs: list[str], tiers: set[str], rev: str | None) -> list[str]:
    """The runs with parameters of some tiers, and `rev`."""
    parameters = git.blobs(root, revs, paths.PARAMS)
    configured = {blob: tier_of(git.read_blob(root, blob)) for blob in {*parameters.values()}}
    return [run for run in revs if configured.get(parameters.get(run, "")) in tiers] + ([] if rev is None else [rev])


def _results(root: Path, revs: list[str], split: str) -> set[Result]:
    """The different results on a split."""
    blobs = {*git.blobs(root, revs, paths.metrics_of(split)).values()}
    return {result_of(git.read_blob(root, blob)) for blob in blobs}
