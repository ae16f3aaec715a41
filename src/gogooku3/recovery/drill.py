"""`drill`: the rehearsal of a recovery. Everything is new but the repository's URL and the bucket.

Each release is cloned into a new folder, its libraries are installed from its own lock file, its package and data come
from the remotes alone, and its own code verifies the package and scores the dataset again.
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
from gogooku3.errors import DataError, MachineError, MismatchError, UserError
from gogooku3.package.environment import read_numerics
from gogooku3.recovery.checks.verdict import Outcome
from gogooku3.recovery.pull import pull
from gogooku3.recovery.recover import require_recorded
from gogooku3.recovery.releases import git, tags
from gogooku3.recovery.releases.clone import clone
from gogooku3.recovery.sandbox.environment import Environment, Environments
from gogooku3.recovery.sandbox.program import run, verified
from gogooku3.recovery.sandbox.workspace import isolate, temporary_folder
from gogooku3.recovery.storage import lock
from gogooku3.recovery.storage.settings import without_password
from gogooku3.runtime.files import sha256_frame

Say = Callable[[str], None]


@dataclass(frozen=True)
class Step:
    """One step of a rehearsal: how it ended, what was found, and how long it took."""

    name: str
    outcome: Outcome
    found: str
    seconds: float


@dataclass(frozen=True)
class Rehearsal:
    """The recovery of one release."""

    tag: str
    commit: str
    steps: tuple[Step, ...]

    @property
    def good(self) -> bool:
        """Whether the release came back whole and does what it promised."""
        return all(step.outcome == "passed" for step in self.steps)


@dataclass(frozen=True)
class Drill:
    """What was rehearsed, from where, when and on what machine."""

    url: str
    """Without the name and password that it may carry."""
    began: str
    machine: str
    rehearsals: tuple[Rehearsal, ...]

    @property
    def good(self) -> bool:
        """Whether every release came back."""
        return all(rehearsal.good for rehearsal in self.rehearsals)


def drill(
    url: str,
    names: Sequence[str] = (),
    *,
    all_tags: bool = False,
    settings: Path | None = None,
    say: Say = lambda _what: None,
) -> Drill:
    """Rehearses the recovery of releases, one after the other; one that fails does not keep the next from its turn.

    Args:
        url: the Git repository.
        names: `TIER` for its best version, or `TIER@VERSION`; the best of every tier where none is given.
        all_tags: every version of every tier.
        settings: DVC settings for the clones: another bucket, credentials.
        say: is told each step before it begins.

    Raises:
        DataError: there is no such release.
        GitError: the repository cannot be reached.
    """
    began = datetime.now(UTC).isoformat(timespec="seconds")
    with temporary_folder("gogooku3-drill-") as folder:
        git.run(Path(), "clone", "--quiet", "--bare", "--", url, str(folder / "tags"))
        releases = _releases(tags.read(folder / "tags"), names, all_tags)
        environments = Environments(folder / "environments")
        rehearsals = tuple(
            _rehearse(_Stage(url, release, folder / f"release-{number}", settings, environments), say)
            for number, release in enumerate(releases)
        )
    machine = f"{platform.platform()}, Python {platform.python_version()}"
    return Drill(without_password(url), began, machine, rehearsals)


def _releases(registry: tags.Registry, names: Sequence[str], all_tags: bool) -> list[tags.Release]:
    if names:
        return [registry.find(name) for name in names]
    tiers = sorted({release.tier for release in registry.releases})
    releases = registry.releases if all_tags else [best for tier in tiers if (best := registry.best(tier))]
    if not releases:
        raise DataError(
            "there is no release to rehearse", hint="`gogooku3 tiers` lists them; `gogooku3 promote` makes one"
        )
    return list(releases)


@dataclass
class _Stage:
    """Where one release is rehearsed, and what its steps leave for those after them."""

    url: str
    release: tags.Release
    folder: Path
    settings: Path | None
    environments: Environments
    environment: Environment = field(init=False)
    exact: bool = field(init=False)
    """Whether this machine is where the package promises equal bits."""

    @property
    def clone(self) -> Path:
        return self.folder / "clone"

    @property
    def variables(self) -> dict[str, str]:
        """For the release's own processes: what they leave in their temporary folder goes with this one."""
        return self.environment.variables(self.clone) | {"TMPDIR": str(self.folder)}

    @property
    def scores(self) -> Path:
        return self.folder / "scores.parquet"


def _rehearse(stage: _Stage, say: Say) -> Rehearsal:
    steps: dict[str, Step] = {}
    for name, (work, needs) in _STEPS.items():
        say(f"{stage.release.tag.name}: {name}")
        lacking = [need for need in needs if steps[need].outcome != "passed"]
        steps[name] = (
            Step(name, "skipped", f"for want of: {', '.join(lacking)}", 0.0) if lacking else _step(name, work, stage)
        )
    shutil.rmtree(stage.folder, ignore_errors=True)
    return Rehearsal(stage.release.tag.name, stage.release.commit, tuple(steps.values()))


def _step(name: str, work: Callable[[_Stage], str], stage: _Stage) -> Step:
    began = time.monotonic()
    outcome: Outcome = "passed"
    try:
        found = work(stage)
    except UserError as error:
        outcome, found = "failed", f"{error.message} (hint: {error.hint})"
    except Exception as error:  # whatever befalls one release, the next has its turn, and the report is written
        outcome, found = "failed", f"{type(error).__name__}: {error}"
    return Step(name, outcome, found, round(time.monotonic() - began, 1))


def _clone(stage: _Stage) -> str:
    clone(stage.url, stage.release.tag.name, stage.clone, stage.settings)
    isolate(stage.clone)
    return f"commit {stage.release.commit[:10]}"


def _environment(stage: _Stage) -> str:
    stage.environment, new = stage.environments.of(stage.clone)
    return f"built from `{paths.REQUIREMENTS}`" if new else f"as built before, from the same `{paths.REQUIREMENTS}`"


def _package(stage: _Stage) -> str:
    said = _pull(stage, [paths.PACKAGE])
    require_recorded(stage.clone, stage.release)
    return f"{said}; the weights are those that the tag names"


def _data(stage: _Stage) -> str:
    return _pull(stage, [paths.DATASET, paths.PREDICTIONS])


def _pull(stage: _Stage, wanted: Sequence[Path]) -> str:
    """Brings outputs from the remotes, hashed on the way."""
    outs = [
        output
        for output in lock.outputs(stage.clone, None)
        if any(Path(output.path).is_relative_to(path) for path in wanted)
    ]
    fetched = pull(stage.clone, outs)
    return ", ".join(f"{count} objects from {place}" for place, count in fetched.fetched_from.items())


def _verify(stage: _Stage) -> str:
    verdict = verified(stage.clone / paths.PACKAGE, str(stage.environment.python), stage.variables)
    checks = {check["name"]: check for check in verdict["checks"]}
    if not verdict["good"]:
        failed = [f"{name}: {check['found']}" for name, check in checks.items() if check["outcome"] == "failed"]
        raise MismatchError("; ".join(failed), hint="`gogooku3 audit --deep` says whether the bucket is whole")
    stage.exact = checks["environment"]["outcome"] == "passed"
    return f"{len(checks)} checks; golden predictions: {checks['golden']['found']}"


def _predict(stage: _Stage) -> str:
    """Scores the sessions of the evaluation again."""
    first, last = (
        pl.read_parquet(stage.clone / paths.PREDICTIONS).select(pl.col("Date").min(), last=pl.col("Date").max()).row(0)
    )
    done = run(
        "predict",
        str(stage.clone / paths.PACKAGE),
        *(
            "--dataset",
            str(stage.clone / paths.DATASET),
            "--output",
            str(stage.scores),
            "--from",
            str(first),
            "--to",
            str(last),
        ),
        python=str(stage.environment.python),
        variables=stage.variables,
    )
    if done.returncode:
        raise MachineError(
            done.stderr.strip() or f"ended with {done.returncode}", hint="run `gogooku3 predict` by hand"
        )
    return f"sessions from {first} to {last}"


def _compare(stage: _Stage) -> str:
    """The scores are those of the evaluation: to the bit where these are promised, within a tolerance elsewhere."""
    promised, found = pl.read_parquet(stage.clone / paths.PREDICTIONS), pl.read_parquet(stage.scores)
    if promised.schema != found.schema or not promised.select("Date", "Code").equals(found.select("Date", "Code")):
        raise MismatchError(
            f"`{paths.PREDICTIONS}` has {promised.height} rows of {', '.join(promised.columns)}; predicted were"
            f" {found.height} rows of {', '.join(found.columns)}, or other stocks or sessions",
            hint="package, dataset and predictions are not of one run: train anew (`dvc repro`)",
        )
    if sha256_frame(promised) == sha256_frame(found):
        return f"{promised.height:,} rows equal to the bit"
    scores = [column for column in promised.columns if column.startswith("score_")]
    gap = _largest(promised.select(scores) - found.select(scores))
    told = f"scores differ by up to {gap:.3g}"
    if stage.exact:
        raise MismatchError(f"{told}, where they are promised to the bit", hint="`gogooku3 reproduce` finds where")
    # Its tolerance, and with it torch, is needed only here, where nothing is computed with torch.
    from gogooku3.recovery.checks.golden import TOLERANCE

    bound = TOLERANCE[read_numerics(stage.clone / paths.PACKAGE).precision] * _largest(promised.select(scores))
    if not gap <= bound:
        raise MismatchError(f"{told}, tolerance {bound:.3g}", hint="rehearse where `environment.json` says")
    return f"{told}, tolerance {bound:.3g}: equal bits are not promised here"


def _largest(frame: pl.DataFrame) -> float:
    return float(frame.select(pl.max_horizontal(pl.all().abs().max())).item())


_STEPS: dict[str, tuple[Callable[[_Stage], str], tuple[str, ...]]] = {
    "clone": (_clone, ()),
    "environment": (_environment, ("clone",)),
    "package": (_package, ("clone",)),
    "data": (_data, ("clone",)),
    "verify": (_verify, ("environment", "package")),
    "predict": (_predict, ("verify", "data")),
    "compare": (_compare, ("predict",)),
}
