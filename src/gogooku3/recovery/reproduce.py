"""`reproduce`: trains a release again in a clean clone at its tag, and compares every output bit for bit."""

from __future__ import annotations

import shlex
import shutil
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
from gogooku3.recovery.releases.clone import claimed, clone
from gogooku3.recovery.reproduction.comparison import ComparedStage, Difference, compare, explain
from gogooku3.recovery.reproduction.pipeline import overlap, stages
from gogooku3.recovery.sandbox.environment import CURRENT, Environment, build, differing
from gogooku3.recovery.sandbox.program import run_verify
from gogooku3.recovery.sandbox.workspace import isolate
from gogooku3.recovery.storage import lock
from gogooku3.recovery.storage.settings import without_password
from gogooku3.runtime import interruption

Log = Callable[[str], None]


@dataclass(frozen=True)
class Reproduction:
    """Result of training a release again."""

    tag: str
    commit: str
    folder: str | None
    """The clone; None if it was temporary, everything is the same, and it was removed."""
    domain: Finding
    """Finding of `verify` on whether this machine is in the package's exact domain (`environment.json`)."""
    stages: tuple[ComparedStage, ...]
    """In pipeline order."""
    differences: tuple[Difference, ...]
    """The differing files of the first stage that differs."""

    @property
    def same(self) -> bool:
        """Whether every output is as recorded."""
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
    trusted_keys: Path | None = None,
    also: Sequence[Path] = (),
    log: Log = lambda _message: None,
) -> Reproduction:
    """Trains a release again with its own code, parameters and libraries, and compares the hash of every output.

    Args:
        url: the Git repository.
        name: `TIER` (its best version) or `TIER@VERSION`.
        target: the clone; None for a temporary folder that is removed if everything is the same.
        new_environment: install the tag's `requirements.lock` into `.venv` of the clone and use that.
        settings: DVC settings for the clone: another bucket, credentials.
        trusted_keys: SSH keys in Git's allowed-signers format, one of which must have signed the tag.
        also: additional sources of recorded objects: clones, caches, archives.
        log: callback with each step before it starts, and with the limits of the comparison.

    Raises:
        ConfigError: `trusted_keys` is not a list of trusted signers.
        MismatchError: the tag's signature is not valid, or no trusted key signed it. Nothing was run.
        MachineError: the installed libraries are not the locked ones, or the pipeline fails.
        DataError: no such release, or a stage whose inputs are missing and whose outputs no source has.
        RefusedError: `target` contains something else, or another process is working on it.
        StoreError, GitError: the bucket or the repository cannot be reached.
    """
    with ExitStack() as claims, ExitStack() as cleanup:
        folder = (target or _temporary(cleanup)).absolute()
        claims.enter_context(claimed(folder))
        log(f"cloning {without_password(url)}")
        release = clone(url, name, folder, settings, trusted_keys)
        isolate(folder)
        environment = _environment(folder, new_environment, log)
        missing = _missing_inputs(folder)
        # DVC keeps stages in the lock file that the pipeline no longer has, such as folds of another scheme.
        recorded = [
            stage for stage in stages(git.show(folder, release.commit, paths.LOCK) or "") if stage.name in missing
        ]
        absent = {stage: inputs for stage, inputs in missing.items() if inputs}
        _pull_recorded(folder, absent, also, log)
        domain = _domain(folder, environment, also)
        log(_domain_message(domain))
        try:
            _run(folder, environment, [stage.name for stage in recorded if stage.name not in absent], log)
            new = stages((folder / paths.LOCK).read_text(encoding="utf-8"))
            compared = compare(recorded, new, absent)
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


def _environment(folder: Path, new: bool, log: Log) -> Environment:
    if new:
        log(f"installing {paths.REQUIREMENTS} into {folder / '.venv'}")
        return build(folder / ".venv", folder)
    libraries = differing(folder)
    if libraries:
        raise MachineError(
            f"the installed libraries differ from those of the release: {abbreviate(libraries)}",
            hint="use `--new-environment` to install the release's `requirements.lock` into `.venv` of the clone",
        )
    return CURRENT


def _missing_inputs(root: Path) -> dict[str, list[str]]:
    """The inputs of each stage that are missing or changed here and come neither from Git nor from another stage."""
    names = [name for name in git.run(root, "ls-files", "-z").split("\0") if name]
    try:
        with Repo(str(root)) as repo:
            provided = [str(Path(repo.root_dir) / name) for name in names] + [out.fs_path for out in repo.index.outs]
            return {
                stage.name: [
                    dep.def_path
                    for dep in stage.deps
                    if not isinstance(dep, ParamsDependency)
                    and not any(overlap(dep.fs_path, path) for path in provided)
                    and dep.workspace_status()
                ]
                for stage in repo.index.stages
                if isinstance(stage, PipelineStage)
            }
    except DvcException as error:
        raise DataError(f"the pipeline in `{root}` cannot be read: {error}", hint="check `dvc.yaml`") from error


def _pull_recorded(root: Path, absent: dict[str, list[str]], also: Sequence[Path], log: Log) -> None:
    """Pulls the recorded outputs of stages that cannot be run again."""
    for stage, inputs in absent.items():
        log(
            f"{stage} is not run again, because {', '.join(inputs)} is missing or has changed:"
            " its recorded outputs are used"
        )
    outs = [output for output in lock.outputs(root, None) if output.stage in absent]
    if outs:
        pull(root, outs, also)


def _domain(root: Path, environment: Environment, also: Sequence[Path]) -> Finding:
    """The environment check of the release's own `verify`; the package is pulled for it and made again later.

    If the repository has no source, this source's `verify` runs: the environment may have any version installed.
    """
    package = [output for output in lock.outputs(root, None) if Path(output.path).is_relative_to(paths.PACKAGE)]
    try:
        pull(root, package, also)
        own = () if source.clone_source(root) is None else (str(environment.python), environment.variables(root))
        verdict = run_verify(root / paths.PACKAGE, *own)
    except UserError as error:
        return Finding("skipped", f"the released package cannot be verified: {error.message}", error.hint)
    check = next(check for check in verdict["checks"] if check["name"] == "environment")
    return Finding(check["outcome"], check["found"], check["hint"])


def _domain_message(domain: Finding) -> str:
    if domain.outcome == "passed":
        return "this machine is in the release's exact domain: results must be bitwise identical"
    if domain.outcome == "skipped":
        return f"unknown whether this machine is in the release's exact domain: {domain.found}"
    return f"this machine is NOT in the release's exact domain: {domain.found}"


def _run(root: Path, environment: Environment, names: Sequence[str], log: Log) -> None:
    """Runs stages with the clone's own code, one after the other; their output goes to stderr."""
    if not names:
        return
    log(f"running {', '.join(names)}")
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
    done = interruption.run(command, session=True, cwd=root, env=environment.variables(root), stdout=2)
    if done.returncode:
        raise MachineError(
            f"`dvc repro` in `{root}` ended with {done.returncode}; the stage's own message is above",
            hint=f"finished stages are kept; resume with `cd {shlex.quote(str(root))} && dvc repro`",
        )
