"""`promote`: releases a commit's package as a version of its tier, by Git tags, after all checks have passed.

The checks cover one commit: a clean working tree with an up-to-date lock file, a package that verifies, and a bucket
with every object. Only then are the tags made, in one transaction, on the Git remote and in this repository.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec

from dvc.exceptions import DvcException
from dvc.repo import Repo

from gogooku3 import config, paths
from gogooku3.config.tier import BEST, PARENT, Tier
from gogooku3.errors import RefusedError, abbreviate
from gogooku3.metrics.returns import SESSIONS_PER_YEAR
from gogooku3.metrics.sharpe_significance import Trials
from gogooku3.package.environment import ENVIRONMENT
from gogooku3.package.lineage import Parent, read_lineage
from gogooku3.recovery import implausible
from gogooku3.recovery.audit import audit
from gogooku3.recovery.best import compare, contest, refuse_unless_better
from gogooku3.recovery.provenance import stored
from gogooku3.recovery.provenance.document import collect
from gogooku3.recovery.recomputed import require_recomputed
from gogooku3.recovery.releases import git, publish, results, signatures, tag_objects, tags
from gogooku3.recovery.releases.comparison import Comparison
from gogooku3.recovery.releases.new_tags import finish_stage_tags, new_tags
from gogooku3.recovery.releases.record import Objective, Record, measured, parse, stage_tag_of
from gogooku3.recovery.reproduction.pipeline import overlap
from gogooku3.recovery.sandbox.workspace import isolate, temporary_folder
from gogooku3.recovery.storage.failures import machine_errors
from gogooku3.recovery.trials import count, lineage_tiers, readings, require_full_history
from gogooku3.recovery.verify import verify
from gogooku3.runtime.files import exclusive, sha256_file
from gogooku3.runtime.numerics import software

Progress = Callable[[str], None]

_LOCK = "gogooku3-promote"
"""In Git's folder, without the suffix of Git's own locks, which block Git until they are removed."""

_Arguments = ParamSpec("_Arguments")


@dataclass(frozen=True)
class Promotion:
    """The created tags and their record."""

    tags: tuple[str, ...]
    """The version tag, then, if the model is the best of its tier, the stage tag."""
    record: Record
    remote: str | None
    """The Git remote that has the tags; None if they are local."""
    recomputed: str
    """How exactly the metrics are what the stored scores give."""


def _one_at_a_time(
    function: Callable[Concatenate[Path, _Arguments], Promotion],
) -> Callable[Concatenate[Path, _Arguments], Promotion]:
    """Decorator: only one process at a time releases from a repository and its worktrees; another one is refused."""

    def busy(process: str) -> RefusedError:
        return RefusedError(
            f"another `gogooku3 promote` is running in this repository{process}",
            hint="wait for its end, then run the same command again: it compares with the release that the other makes",
        )

    @wraps(function)
    def alone(root: Path, /, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> Promotion:
        with exclusive(git.common_folder(root) / _LOCK, busy):
            return function(root, *args, **kwargs)

    return alone


@_one_at_a_time
def promote(
    root: Path,
    tier: str,
    *,
    version: tags.Version | None = None,
    despite_worse: str | None = None,
    replace_best: str | None = None,
    despite_implausible: str | None = None,
    note: str | None = None,
    with_user: bool = False,
    sign: bool = False,
    push: bool = True,
    progress: Progress = lambda step: None,
) -> Promotion:
    """Releases the package of the commit at HEAD as a version of a tier.

    Args:
        root: the working tree's root.
        version: None for the next minor version after the tier's newest.
        despite_worse: the reason to release a model that is worse than the best, or cannot be compared with it.
        replace_best: the reason to make a model the best that cannot be compared with the best before it.
        despite_implausible: the reason to release a model whose results are too good to be true.
        note: what was learned, in a sentence; the register of experiments shows it.
        with_user: name the user and host of each stage's run in the provenance.
        sign: sign the tags, even if the user's Git settings (`tag.gpgSign`) do not say so.
        push: publish the tags on the Git remote, if the repository has one, and take their numbers from there.
        progress: callback with the name of each step before it starts.

    Raises:
        RefusedError: the working tree is dirty, the lock file stale, the version taken, the package of another tier or
            not verified, a metric not what the scores give, the results implausible, the model worse or not
            comparable, the bucket incomplete, or another process releases from this repository. No tag was made.
        DataError: scores, targets or quotes are missing or damaged.
        GitError: Git fails, the tags cannot be signed, or the Git remote cannot be reached or refuses them. No tag was
            made.
    """
    tags.check_tier(tier)
    git.require_own_repository(root)
    progress("tree, parameters and tags")
    commit = git.commit_of(root, "HEAD")
    require_full_history(root)
    _require_clean(root)
    _require_tier(root, tier)
    remote = publish.remote_of(root) if push else None
    published = _fetch_and_finish(root, tier, remote, progress)
    registry = tags.read(root)
    version = version or registry.next_version(tier)
    _require_unreleased(root, registry, tier, version, commit, published)
    progress("`dvc status`")
    _require_reproduced(root)
    _require_committed(root, commit)
    progress("metrics, computed again from the scores")
    recomputed = require_recomputed(root)
    found = implausible.findings(root, commit)
    implausible.refuse(found, despite_implausible)
    record = replace(
        _record(root, registry, tier, version, commit, despite_worse, replace_best),
        implausible=found,
        despite_implausible=despite_implausible if found else None,
        market=config.load(root / paths.PARAMS).quotes.source,
        note=note,
    )
    progress("package")
    _require_verified(root)
    progress("provenance")
    name = tags.version_tag(tier, version)
    document = collect(root, name, commit, with_user=with_user)
    record = replace(record, provenance=(provenance := stored.keep(root, document)))
    # GTO and DVC order a tier's tags by their times, and another machine's clock may have been ahead of this one's.
    later_than = registry.newest.get(tier, 0)
    contents = new_tags(root, record, commit, later_than=later_than, sign=sign or signatures.signs_tags(root))
    progress("push")
    _push(root)
    stored.push(root, name, provenance, lambda _what, _done, _total: None)
    progress("bucket")
    _require_stored(root, commit)
    _require_unchanged(root, commit)
    if remote is None:
        tag_objects.create_tags(root, contents)
    else:
        publish.publish(root, remote, contents)
    return Promotion(tuple(contents), record, remote, recomputed)


def _fetch_and_finish(root: Path, tier: str, remote: str | None, progress: Progress) -> frozenset[str]:
    """Fetches the remote's release tags and completes releases that lack their stage tag; the names on the remote."""
    published: frozenset[str] = frozenset()
    if remote is not None:
        progress(f"tags of the Git remote `{remote}`")
        published = publish.fetch_tags(root, remote)
    finish_stage_tags(root, tier)
    if remote is not None and (stages := publish.unpublished_stages(root, tier, published)):
        publish.push_tags(root, remote, stages)
    return published


def _require_clean(root: Path) -> None:
    changed = abbreviate(map(str.strip, git.changes(root)), separator="; ")
    if changed:
        raise RefusedError(
            f"the working tree differs from the commit to be tagged: {changed}",
            hint="commit what belongs to the model (`git add`, `git commit`), remove or ignore the rest",
        )


def _require_unchanged(root: Path, commit: str) -> None:
    """Refuses if HEAD or the working tree changed during the checks."""
    _require_clean(root)
    if git.commit_of(root, "HEAD") != commit:
        raise RefusedError(
            f"HEAD moved away from commit {commit[:10]} during the checks",
            hint="run the same command again, and leave the working tree alone until it ends",
        )


def _require_tier(root: Path, tier: str) -> None:
    configured = config.load(root / paths.PARAMS).tier.name
    if configured != tier:
        raise RefusedError(
            f"`params.yaml` configures tier `{configured}`, not `{tier}`",
            hint=f"run `gogooku3 promote {configured}`, or train the other tier: `dvc exp run -S tier={tier}`",
        )


def _require_unreleased(
    root: Path,
    registry: tags.Registry,
    tier: str,
    version: tags.Version,
    commit: str,
    published: frozenset[str],
) -> None:
    for release in registry.ever(tier):
        if release.commit == commit:
            names = list(filter(None, (release.tag.name, stage_tag_of(release.tag))))
            hint = f"publish it: `{publish.command(root, names)}`"
            if release not in registry.of(tier):
                hint = "that version was revoked; release another commit, such as of `git commit --allow-empty`"
            elif published.issuperset(names):
                hint = "it is published; `gogooku3 tiers` lists it"
            raise RefusedError(
                f"this commit is already released as `{names[0]}`, and GTO allows one version of a tier per commit",
                hint=hint,
            )
    name = tags.version_tag(tier, version)
    if name in registry.names:
        raise RefusedError(
            f"`{name}` exists, and a tag is never moved",
            hint=f"leave `--version` out for {registry.next_version(tier)}, or name another",
        )


def _record(
    root: Path,
    registry: tags.Registry,
    tier: str,
    version: tags.Version,
    commit: str,
    despite_worse: str | None,
    replace_best: str | None,
) -> Record:
    """The record for the tag; refuses a model that is worse than the best or cannot be compared with it."""
    objective = config.load(root / paths.PARAMS).tier
    validation, parent = measured(root, commit, "validation"), _parent(root, registry)
    found = contest(root, registry, tier, commit, validation, objective.metric)
    refuse_unless_better(found, validation, tier, objective.metric, despite_worse or replace_best, despite_worse)
    comparable = found.better is not None
    replaces_best = None if comparable else replace_best
    is_best = replaces_best is not None or (found.better or 0) > 0
    lineage = lineage_tiers(registry, tier, None if parent is None else parent.tag)
    trials = _at_least_recorded(count(root, tier, commit, lineage), registry, [tier, *lineage])
    track = results.track_record(root, commit, "validation")
    deflated = math.nan if track is None else track.deflated(trials)
    return Record(
        tier=tier,
        version=str(version),
        model_sha256=sha256_file(root / paths.PACKAGED_WEIGHTS),
        parent=parent,
        environment=json.loads((root / paths.PACKAGE / ENVIRONMENT).read_text(encoding="utf-8")),
        validation=validation,
        test=measured(root, commit, "test"),
        objective=Objective(objective.metric, results.objective(root, commit, objective.metric), objective.target),
        compared_with=found.before,
        reference=_reference(root, registry, objective, parent, commit),
        despite_worse=despite_worse if not is_best and found.better != 0 else None,
        replaces_best=replaces_best,
        stage_tag=registry.next_stage_tag(tier) if is_best else None,
        trials=trials.count,
        lineage=lineage,
        trials_deviation=math.sqrt(trials.variance * SESSIONS_PER_YEAR),
        deflated_sharpe=None if math.isnan(deflated) else deflated,
        test_readings=readings(root, tier, commit),
        software=software(),
    )


def _reference(
    root: Path, registry: tags.Registry, objective: Tier, parent: Parent | None, commit: str
) -> Comparison | None:
    """The comparison with the release that the tier names in addition to its best."""
    if objective.compared_with == BEST:
        return None
    name = objective.compared_with if objective.compared_with != PARENT or parent is None else parent.tag
    release = next((each for each in registry.releases if each.tag.name == name), None)
    if release is None:
        raise RefusedError(
            f"`tier.compared_with` names `{name}`, which is not a release in this repository",
            hint="run `git fetch --tags`, or name another release (`gogooku3 tiers` lists them)",
        )
    return compare(root, release, commit, objective.metric)


def _at_least_recorded(trials: Trials, registry: tags.Registry, tiers: list[str]) -> Trials:
    """The trials, but no fewer than an earlier tag of the tiers records: deleted experiments were trials too."""
    records = (parse(release.tag.message) for tier in tiers for release in registry.ever(tier))
    return replace(trials, count=max([trials.count, *(record.trials or 0 for record in records if record)]))


def _parent(root: Path, registry: tags.Registry) -> Parent | None:
    """The release from which the package's training started, checked against the tags of this repository."""
    parent = read_lineage(root / paths.PACKAGE)
    if parent is None:
        return None
    release = next((release for release in registry.releases if release.tag.name == parent.tag), None)
    record = None if release is None else parse(release.tag.message)
    if release is None or record is None:
        raise RefusedError(
            f"`{paths.PACKAGE}` was trained from `{parent.tag}`, which is not a release in this repository",
            hint="run `git fetch --tags` to get the remote's tags",
        )
    expected = Parent(release.tag.name, release.commit, record.model_sha256)
    if expected != parent:
        raise RefusedError(
            f"`{paths.PACKAGE}` was trained from a `{parent.tag}` of commit {parent.commit[:10]} with SHA-256"
            f" {parent.model_sha256}; the tag here is at {expected.commit[:10]} and records {expected.model_sha256}",
            hint="a tag is never moved: find out which of the two is the release, then train again from it"
            " (`dvc repro --force parent`)",
        )
    return expected


def _require_reproduced(root: Path) -> None:
    try:
        with machine_errors(root), Repo(str(root)) as repo:
            stale = repo.status()
    except DvcException as error:
        raise RefusedError(f"`dvc status` fails: {error}", hint="run `dvc repro` for the cause") from error
    if stale:
        # DVC prefixes a stage with the path of its file, relative to the caller's folder.
        stages = sorted(address.rpartition(":")[2] for address in stale)
        raise RefusedError(
            f"`dvc.lock` is stale: {abbreviate(stages)} changed since it was written",
            hint="`dvc status` shows what changed; run `dvc repro` and commit `dvc.lock`, or, if outputs are only"
            " missing here, `dvc pull`",
        )


def _require_committed(root: Path, commit: str) -> None:
    """Checks in a clone that the commit contains what `dvc.lock` records of parameters, code and raw data.

    `git status` reports neither changes of files that are marked `skip-worktree` or `assume-unchanged` nor ignored
    files, and DVC hashes both in the working tree.
    """
    with temporary_folder("gogooku3-promote-") as folder:
        clone = folder / "clone"
        git.clone(str(root), clone, "--shared")
        git.run(clone, "checkout", "--quiet", "--detach", commit)
        isolate(clone)
        different = [path for path in (paths.LOCK, paths.PARAMS) if not _same(root / path, clone / path)]
        with Repo(str(clone)) as repo:
            outputs = [out.fs_path for out in repo.index.outs]
            for stage in repo.index.stages:
                for dep in stage.deps:
                    made = any(overlap(dep.fs_path, output) for output in outputs)
                    if dep.is_in_repo and not made and dep.status():
                        different.append(Path(dep.fs_path).relative_to(clone.resolve()))
    if different:
        names = (f"`{path}`" for path in sorted(set(different)))
        raise RefusedError(
            f"commit {commit[:10]} is not what was run: {abbreviate(names)} differ from the working tree or from"
            f" `{paths.LOCK}`",
            hint="`git ls-files -v | grep ^[a-zS]` lists files whose changes Git hides, `git status --ignored` the"
            " ignored ones; commit what belongs to the model, and run `dvc repro`",
        )


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and other.is_file() and one.read_bytes() == other.read_bytes()


def _require_verified(root: Path) -> None:
    dataset = root / paths.DATASET
    verdict = verify(root / paths.PACKAGE, dataset=dataset if dataset.is_dir() else None, lock=root / paths.LOCK)
    if not verdict.good:
        failed = (f"{check.name}: {check.finding.found}" for check in verdict.failed)
        raise RefusedError(
            f"`{paths.PACKAGE}` does not verify: {abbreviate(failed, separator='; ')}",
            hint=f"`gogooku3 verify {paths.PACKAGE}` shows every check; `dvc repro --force package` builds it again",
        )


def _push(root: Path) -> None:
    """Uploads the lock file's outputs that the bucket lacks, each object hashed on the way.

    `dvc push` has no timeout for a silent bucket, and does not notice a file that a directory lost there.
    """
    audit(root, [None], repair=True)


def _require_stored(root: Path, commit: str) -> None:
    problems = [f"`{problem.path}` is {problem.damage.kind}" for problem in audit(root, [commit]).problems]
    if problems:
        raise RefusedError(
            f"the bucket is incomplete after the push: {abbreviate(problems, separator='; ')}",
            hint="`gogooku3 audit --repair` uploads missing or altered objects from the local cache",
        )
