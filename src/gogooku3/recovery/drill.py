"""`drill`: a disaster recovery test: recovers releases from the repository's URL and the bucket alone.

Each release is cloned into a new folder, its libraries are installed from its own lock file, its package and data are
pulled from the remotes alone, and its own code verifies the package and scores the dataset again.
"""

from __future__ import annotations

import platform
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from gogooku3 import paths
from gogooku3.errors import DataError, MachineError, MismatchError
from gogooku3.evaluation.scores import OF_MEMBERS
from gogooku3.package.environment import read_numerics
from gogooku3.recovery.checks.verdict import Outcome
from gogooku3.recovery.pull import pull
from gogooku3.recovery.recover import compare_with_record
from gogooku3.recovery.releases import git, tags
from gogooku3.recovery.releases.clone import clone
from gogooku3.recovery.releases.signatures import check_release, check_trusted_keys
from gogooku3.recovery.sandbox.environment import Environment, Environments
from gogooku3.recovery.sandbox.program import run, run_verify
from gogooku3.recovery.sandbox.workspace import isolate, temporary_folder
from gogooku3.recovery.storage import lock
from gogooku3.recovery.storage.settings import without_password
from gogooku3.runtime.faults import user_error
from gogooku3.runtime.files import sha256_frame

Log = Callable[[str], None]

_NOT_DONE = ("failed", "skipped")


@dataclass(frozen=True)
class Step:
    """One step of a rehearsal: its outcome, finding and duration."""

    name: str
    outcome: Outcome
    found: str
    seconds: float


@dataclass(frozen=True)
class Rehearsal:
    """The rehearsed recovery of one release."""

    tag: str
    commit: str
    steps: tuple[Step, ...]

    @property
    def good(self) -> bool:
        """Whether every step passed."""
        return all(step.outcome == "passed" for step in self.steps)

    @property
    def recovered(self) -> bool:
        """Whether no step failed: the release is intact, compared with the record in its tag or not."""
        return not any(step.outcome in _NOT_DONE for step in self.steps)


@dataclass(frozen=True)
class Drill:
    """All rehearsals, with the repository, the time and the machine."""

    url: str
    """Without user name and password."""
    began: str
    machine: str
    rehearsals: tuple[Rehearsal, ...]

    @property
    def good(self) -> bool:
        """Whether every release was recovered and compared with the record in its tag."""
        return all(rehearsal.good for rehearsal in self.rehearsals)

    @property
    def recovered(self) -> bool:
        """Whether every release was recovered."""
        return all(rehearsal.recovered for rehearsal in self.rehearsals)


def drill(
    url: str,
    names: Sequence[str] = (),
    *,
    all_tags: bool = False,
    settings: Path | None = None,
    trusted_keys: Path | None = None,
    log: Log = lambda _step: None,
) -> Drill:
    """Rehearses the recovery of releases, one after the other; after a failure the next release still runs.

    Args:
        url: the Git repository.
        names: `TIER` (its best version) or `TIER@VERSION`; if empty, the best version of every tier.
        all_tags: every version of every tier.
        settings: DVC settings for the clones: another bucket, credentials.
        trusted_keys: SSH keys in Git's allowed-signers format, one of which must have signed each release.
        log: callback with the name of each step before it starts.

    Raises:
        ConfigError: `trusted_keys` is not a list of trusted signers.
        DataError: no such release.
        GitError: the repository cannot be reached.
    """
    check_trusted_keys(trusted_keys)
    began = datetime.now(UTC).isoformat(timespec="seconds")
    with temporary_folder("gogooku3-drill-") as folder:
        git.clone(url, folder / "tags")
        releases = _releases(tags.read(folder / "tags"), names, all_tags)
        environments = Environments(folder / "environments")
        rehearsals = tuple(
            _rehearse(
                _Context(url, release, as_best, folder / f"release-{number}", settings, trusted_keys, environments), log
            )
            for number, (release, as_best) in enumerate(releases)
        )
    machine = f"{platform.platform()}, Python {platform.python_version()}"
    return Drill(without_password(url), began, machine, rehearsals)


def _releases(registry: tags.Registry, names: Sequence[str], all_tags: bool) -> list[tuple[tags.Release, bool]]:
    """The releases to rehearse, and whether each was chosen as the best of its tier."""
    if names:
        return [(registry.find(name), "@" not in name) for name in names]
    tiers = sorted({release.tier for release in registry.releases})
    releases = registry.releases if all_tags else [best for tier in tiers if (best := registry.best(tier))]
    if not releases:
        raise DataError(
            "there is no release to rehearse", hint="make one with `gogooku3 promote`; `gogooku3 tiers` lists them"
        )
    return [(release, not all_tags) for release in releases]


class _NotComparedError(Exception):
    """A step is done, but had nothing to compare its result with."""


@dataclass
class _Context:
    """Inputs of one rehearsal, and the results of its steps that later steps use."""

    url: str
    release: tags.Release
    as_best: bool
    """Whether the release was chosen as the best of its tier."""
    folder: Path
    settings: Path | None
    trusted_keys: Path | None
    environments: Environments
    environment: Environment = field(init=False)
    exact: bool = field(init=False)
    """Whether this machine is in the package's exact domain, in which its results are bitwise identical."""

    @property
    def clone(self) -> Path:
        return self.folder / "clone"

    @property
    def variables(self) -> dict[str, str]:
        """Environment of the release's own processes; their temporary folder is removed with this rehearsal's."""
        return self.environment.variables(self.clone) | {"TMPDIR": str(self.folder)}

    @property
    def scores(self) -> Path:
        return self.folder / "scores.parquet"


def _rehearse(context: _Context, log: Log) -> Rehearsal:
    steps: dict[str, Step] = {}
    for name, (work, needs) in _STEPS.items():
        log(f"{context.release.tag.name}: {name}")
        failed = [need for need in needs if steps[need].outcome in _NOT_DONE]
        steps[name] = (
            Step(name, "skipped", f"did not pass: {', '.join(failed)}", 0.0) if failed else _step(name, work, context)
        )
    shutil.rmtree(context.folder, ignore_errors=True)
    return Rehearsal(context.release.tag.name, context.release.commit, tuple(steps.values()))


def _step(name: str, work: Callable[[_Context], str], context: _Context) -> Step:
    start = time.monotonic()
    outcome: Outcome = "passed"
    try:
        found = work(context)
    except _NotComparedError as error:
        outcome, found = "noted", str(error)
    except Exception as error:  # after any error the next release still runs, and the report is written
        fault = user_error(error)
        found = f"{type(error).__name__}: {error}" if fault is None else f"{fault.message} (hint: {fault.hint})"
        outcome = "failed"
    return Step(name, outcome, found, round(time.monotonic() - start, 1))


def _clone(context: _Context) -> str:
    release = clone(context.url, context.release.tag.name, context.clone, context.settings, context.trusted_keys)
    if release.tag.object != context.release.tag.object:
        raise MismatchError(
            f"`{release.tag.name}` is another tag than at the start of the drill: it was moved on the Git server",
            hint="a tag is never moved: do not trust it, and ask where the tags are made",
        )
    isolate(context.clone)
    signature = check_release(context.clone, context.release, context.trusted_keys, as_best=context.as_best)
    return f"commit {context.release.commit[:10]}; the tag is {signature}"


def _environment(context: _Context) -> str:
    context.environment, new = context.environments.get(context.clone)
    return f"built from `{paths.REQUIREMENTS}`" if new else f"reused, built from the same `{paths.REQUIREMENTS}`"


def _package(context: _Context) -> str:
    pulled = _pull(context, [paths.PACKAGE])
    if not compare_with_record(context.clone, context.release):
        raise _NotComparedError(f"{pulled}; the weights were NOT compared: the tag has no readable record of its model")
    return f"{pulled}; the weights have the SHA-256 in the tag"


def _data(context: _Context) -> str:
    return _pull(context, [paths.DATASET, paths.PREDICTIONS])


def _pull(context: _Context, wanted: Sequence[Path]) -> str:
    """Pulls outputs from the remotes, hashed on the way."""
    outs = [
        output
        for output in lock.outputs(context.clone, None)
        if any(Path(output.path).is_relative_to(path) for path in wanted)
    ]
    fetched = pull(context.clone, outs)
    return ", ".join(f"{count} objects from {source}" for source, count in fetched.brought.items())


def _verify(context: _Context) -> str:
    verdict = run_verify(context.clone / paths.PACKAGE, str(context.environment.python), context.variables)
    checks = {check["name"]: check for check in verdict["checks"]}
    if not verdict["good"]:
        failed = [f"{name}: {check['found']}" for name, check in checks.items() if check["outcome"] == "failed"]
        raise MismatchError("; ".join(failed), hint="run `gogooku3 audit --deep` to check the bucket")
    context.exact = checks["environment"]["outcome"] == "passed"
    return f"{len(checks)} checks; golden predictions: {checks['golden']['found']}"


def _predict(context: _Context) -> str:
    """Scores the sessions of the evaluation again."""
    first, last = (
        pl.read_parquet(context.clone / paths.PREDICTIONS)
        .select(pl.col("Date").min(), last=pl.col("Date").max())
        .row(0)
    )
    done = run(
        "predict",
        str(context.clone / paths.PACKAGE),
        *(
            "--dataset",
            str(context.clone / paths.DATASET),
            "--output",
            str(context.scores),
            "--from",
            str(first),
            "--to",
            str(last),
        ),
        python=str(context.environment.python),
        variables=context.variables,
    )
    if done.returncode:
        raise MachineError(
            done.stderr.strip() or f"ended with {done.returncode}", hint="run `gogooku3 predict` by hand"
        )
    return f"sessions from {first} to {last}"


def _compare(context: _Context) -> str:
    """Compares the scores with the evaluation's: bitwise in the exact domain, within a tolerance elsewhere."""
    expected = pl.read_parquet(context.clone / paths.PREDICTIONS).select(pl.exclude(OF_MEMBERS))
    actual = pl.read_parquet(context.scores)
    if expected.schema != actual.schema or not expected.select("Date", "Code").equals(actual.select("Date", "Code")):
        raise MismatchError(
            f"`{paths.PREDICTIONS}` has {expected.height} rows of {', '.join(expected.columns)}; the new scores have"
            f" {actual.height} rows of {', '.join(actual.columns)}, or other stocks or sessions",
            hint="package, dataset and predictions are from different runs: train again (`dvc repro`)",
        )
    if sha256_frame(expected) == sha256_frame(actual):
        return f"{expected.height:,} rows bitwise identical"
    scores = [column for column in expected.columns if column.startswith("score_")]
    gap = _largest(expected.select(scores) - actual.select(scores))
    message = f"scores differ by up to {gap:.3g}"
    if context.exact:
        raise MismatchError(
            f"{message}, though they must be bitwise identical here",
            hint="run `gogooku3 reproduce` to find the first difference",
        )
    # Imported late: the module loads torch, which nothing else here needs.
    from gogooku3.recovery.checks.golden import TOLERANCE

    bound = TOLERANCE[read_numerics(context.clone / paths.PACKAGE).precision] * _largest(expected.select(scores))
    if not gap <= bound:
        raise MismatchError(
            f"{message}, tolerance {bound:.3g}", hint="run the drill on a machine as `environment.json` describes"
        )
    return f"{message}, tolerance {bound:.3g}: bitwise identical scores are not promised here"


def _largest(frame: pl.DataFrame) -> float:
    return float(frame.select(pl.max_horizontal(pl.all().abs().max())).item())


_STEPS: dict[str, tuple[Callable[[_Context], str], tuple[str, ...]]] = {
    "clone": (_clone, ()),
    "environment": (_environment, ("clone",)),
    "package": (_package, ("clone",)),
    "data": (_data, ("clone",)),
    "verify": (_verify, ("environment", "package")),
    "predict": (_predict, ("verify", "data")),
    "compare": (_compare, ("predict",)),
}
