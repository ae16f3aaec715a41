"""`reproduce`: trains a release again, in a clean clone at its tag, and compares what comes out with what it was."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from dvc.dependency import ParamsDependency
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage import PipelineStage

from gogooku3 import paths, source
from gogooku3.errors import DataError, MachineError, UserError, abbreviate
from gogooku3.recovery.checks.verdict import Finding
from gogooku3.recovery.pull import pull
from gogooku3.recovery.releases import git
from gogooku3.recovery.releases.clone import clone
from gogooku3.recovery.reproduction.comparison import ComparedStage, Difference, compare, explain
from gogooku3.recovery.reproduction.pipeline import overlap, stages
from gogooku3.recovery.sandbox.environment import HERE, Environment, build, differing
from gogooku3.recovery.sandbox.program import verified
from gogooku3.recovery.sandbox.workspace import isolate
from gogooku3.recovery.storage import lock
from gogooku3.recovery.storage.settings import without_password

Say = Callable[[str], None]


@dataclass(frozen=True)
class Reproduction:
    """A release that was trained again."""

    tag: str
    commit: str
    folder: str | None
    """The clone; None where it was temporary and everything is the same: then it is gone."""
    domain: Finding
    """What `verify` says of this machine and the package's `environment.json`: where equal bits are promised."""
    stages: tuple[ComparedStage, ...]
    """In the order of the pipeline."""
    differences: tuple[Difference, ...]
    """The files of the first stage that came out differently."""

    @property
    def same(self) -> bool:
        """Whether everything came out as recorded."""
        return all(stage.same for stage in self.stages)

    @property
    def first(self) -> ComparedStage | None:
        """The first stage that differs."""
        return next((stage for stage in self.stages if not stage.same), None)


def reproduce(
    url: str,
    name: str,
    target: Path | None = None,
    *,
    new_environment: bool = False,
    settings: Path | None = None,
    also: Sequence[Path] = (),
    say: Say = lambda _what: None,
) -> Reproduction:
    """Trains a release again with its own code, parameters and libraries, and compares the hash of every output.

    Args:
        url: the Git repository.
        name: `TIER` for its best version, or `TIER@VERSION`.
        target: the clone; a temporary folder where None, removed when all is the same.
        new_environment: install the tag's `requirements.lock` into `.venv` of the clone and use that.
        settings: DVC settings for the clone: another bucket, credentials.
        also: further places for recorded objects: clones, caches, archives.
        say: is told each step before it begins, and what limits the comparison.

    Raises:
        MachineError: the installed libraries are others than the locked ones, or the pipeline does not run to its end.
        DataError: no such release, or a stage whose inputs are not here and whose outputs nobody has.
        RefusedError: `target` holds something else.
        StoreError, GitError: the bucket or the repository cannot be reached.
    """
    with ExitStack() as cleanup:
        folder = (target or _temporary(cleanup)).absolute()
        say(f"cloning {without_password(url)}")
        release = clone(url, name, folder, settings)
        isolate(folder)
        environment = _environment(folder, new_environment, say)
        missing = _missing(folder)
        # DVC leaves stages in the lock file that the pipeline no longer has, such as folds of another scheme.
        recorded = [
            stage for stage in stages(git.show(folder, release.commit, paths.LOCK) or "") if stage.name in missing
        ]
        absent = {stage: inputs for stage, inputs in missing.items() if inputs}
        _take(folder, absent, also, say)
        domain = _domain(folder, environment, also)
        say(_told(domain))
        try:
            _run(folder, environment, [stage.name for stage in recorded if stage.name not in absent], say)
            here = stages((folder / paths.LOCK).read_text(encoding="utf-8"))
            compared = compare(recorded, here, absent)
            first = next((stage for stage in compared if not stage.same), None)
            differences = explain(folder, release.commit, first, also) if first else ()
        except UserError:
            cleanup.pop_all()
            raise
        kept = first is not None or target is not None
        if kept:
            cleanup.pop_all()
    return Reproduction(release.tag.name, release.commit, str(folder) if kept else None, domain, compared, differences)


def _temporary(cleanup: ExitStack) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="gogooku3-reproduce-"))
    cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder / "clone"


def _environment(folder: Path, new: bool, say: Say) -> Environment:
    if new:
        say(f"installing {paths.REQUIREMENTS} into {folder / '.venv'}")
        return build(folder / ".venv", folder)
    others = differing(folder)
    if others:
        raise MachineError(
            f"the release was made with other libraries than are installed: {abbreviate(others)}",
            hint="`--new-environment` installs those of its `requirements.lock` beside the clone",
        )
    return HERE


def _missing(root: Path) -> dict[str, list[str]]:
    """The stages, each with the inputs that neither Git nor another stage brings and that are not here as they were."""
    names = [name for name in git.run(root, "ls-files", "-z").split("\0") if name]
    try:
        with Repo(str(root)) as repo:
            brought = [str(Path(repo.root_dir) / name) for name in names] + [out.fs_path for out in repo.index.outs]
            return {
                stage.name: [
                    dep.def_path
                    for dep in stage.deps
                    if not isinstance(dep, ParamsDependency)
                    and not any(overlap(dep.fs_path, path) for path in brought)
                    and dep.workspace_status()
                ]
                for stage in repo.index.stages
                if isinstance(stage, PipelineStage)
            }
    except DvcException as error:
        raise DataError(f"the pipeline in `{root}` cannot be read: {error}", hint="look at `dvc.yaml`") from error


def _take(root: Path, absent: dict[str, list[str]], also: Sequence[Path], say: Say) -> None:
    """Brings the recorded outputs of stages that cannot be run again."""
    for stage, inputs in absent.items():
        say(
            f"{stage} cannot be run again, for {', '.join(inputs)} is not here as it was:"
            " its outputs are taken as recorded"
        )
    taken = [output for output in lock.outputs(root, None) if output.stage in absent]
    if taken:
        pull(root, taken, also)


def _domain(root: Path, environment: Environment, also: Sequence[Path]) -> Finding:
    """What the release's own `verify` says of this machine; the package is only asked, and written anew later.

    Where the repository has no source, ours is asked: an environment may have any installed.
    """
    package = [output for output in lock.outputs(root, None) if Path(output.path).is_relative_to(paths.PACKAGE)]
    try:
        pull(root, package, also)
        asked = () if source.clone_source(root) is None else (str(environment.python), environment.variables(root))
        verdict = verified(root / paths.PACKAGE, *asked)
    except UserError as error:
        return Finding("skipped", f"the released package cannot be asked: {error.message}", error.hint)
    check = next(check for check in verdict["checks"] if check["name"] == "environment")
    return Finding(check["outcome"], check["found"], check["hint"])


def _told(domain: Finding) -> str:
    if domain.outcome == "passed":
        return "this machine is where the release promises equal bits"
    if domain.outcome == "skipped":
        return f"whether this machine is where the release promises equal bits is not known: {domain.found}"
    return f"this machine is NOT where the release promises equal bits: {domain.found}"


def _run(root: Path, environment: Environment, names: Sequence[str], say: Say) -> None:
    """Runs stages with the clone's own code, one after the other; what they print goes to stderr."""
    if not names:
        return
    say(f"running {', '.join(names)}")
    command = [
        str(environment.python),
        "-P",
        "-m",
        "dvc",
        "repro",
        "--force",
        "--no-run-cache",
        "--single-item",
        *names,
    ]
    done = subprocess.run(  # noqa: S603  (a list of arguments, no shell)
        command, cwd=root, env=environment.variables(root), stdout=2, check=False
    )
    if done.returncode:
        raise MachineError(
            f"`dvc repro` in `{root}` ended with {done.returncode}; the stage's own message stands above",
            hint=f"what was made is kept there; `cd {shlex.quote(str(root))} && dvc repro` goes on from it",
        )
