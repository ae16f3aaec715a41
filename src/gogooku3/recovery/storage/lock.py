"""Reads `dvc.lock` through DVC: the outputs that a revision keeps in the store, with their hashes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.fs import GitFileSystem, LocalFileSystem
from dvc.output import Output as DvcOutput
from dvc.repo import Repo
from dvc.scm import Git, SCMError, map_scm_exception
from dvc.stage import PipelineStage
from dvc.stage.serialize import to_single_stage_lockfile
from dvc.utils import dict_sha256

from gogooku3 import paths
from gogooku3.errors import DataError
from gogooku3.recovery.storage.failures import machine_errors
from gogooku3.recovery.storage.project import open_project

OBJECT = r"[0-9a-f]{32}(\.dir)?"
"""An object's name: the MD5 of its bytes, with `.dir` for the listing of a directory."""


@dataclass(frozen=True)
class Output:
    """One cached output of one stage, as recorded.

    `path` is relative to the repository; `md5` is the object's name in the store and ends in `.dir` for a directory,
    whose `size` is the total of its `nfiles` files; both are None if DVC did not record them.
    """

    stage: str
    path: str
    md5: str
    size: int | None
    nfiles: int | None
    is_dir: bool


def is_inside(path: str) -> bool:
    """Whether an output's path stays in the repository (no path traversal) and outside `.git` and `.dvc`.

    The standalone script in an archive has its own copy (`archive.standalone`).
    """
    parts = path.lower().split("/")
    return not {"", ".", "..", ".git", ".dvc"}.intersection(parts) and not {"\\", "\0"}.intersection(path)


def outputs(root: Path, rev: str | None) -> list[Output]:
    """The cached outputs of a Git revision, or of the working tree (`rev` None), by path.

    Outputs that Git keeps (`cache: false`) and those that are never pushed (`push: false`) are left out. Raises
    `DataError` if the revision cannot be read, or if an output was never made or was recorded by DVC 2.
    """
    label = "the working tree" if rev is None else f"`{rev}`"
    with _read_errors(root, label), _open(root, rev) as repo:
        _require_visible(root, repo)
        cached = [out for out in repo.index.outs if out.use_cache and out.can_push and not out.stage.is_repo_import]
        outs = [_output(out, str(repo.fs.relpath(out.fs_path, repo.root_dir)), label) for out in cached]
    return sorted(outs, key=lambda output: output.path)


def run_keys(root: Path, rev: str | None) -> dict[str, str]:
    """The stages of a Git revision, or of the working tree (`rev` None), by the key of their run in the run cache.

    The key is DVC's: the hash of the command, of the dependencies and parameters that `dvc.lock` records, and of the
    outputs' paths. Raises `DataError` if the revision cannot be read.
    """
    label = "the working tree" if rev is None else f"`{rev}`"
    with _read_errors(root, label), _open(root, rev) as repo:
        _require_visible(root, repo)
        stages = [stage for stage in repo.index.stages if isinstance(stage, PipelineStage)]
        return {_run_key(stage): _address(stage, str(repo.fs.relpath(stage.path, repo.root_dir))) for stage in stages}


def _open(root: Path, rev: str | None) -> AbstractContextManager[Repo]:
    """The project in `root`, or at a revision; DVC itself opens a revision only at the root of its Git repository."""
    project = Repo.find_root(str(root))
    if rev is None:
        return open_project(project)
    scm = Git(project)
    folder = Path("/") / Path(project).resolve().relative_to(Path(scm.root_dir).resolve())
    return open_project(folder.as_posix(), fs=_files_at(scm, rev), scm=scm)


def _files_at(scm: Git, rev: str) -> GitFileSystem:
    files = GitFileSystem(scm=scm, rev=rev)
    try:
        _ = files.fs  # opened on first use
    except ValueError as error:  # of libgit2, which reads no SHA-256 objects
        raise DvcException(str(error)) from error
    return files


def _require_visible(root: Path, repo: Repo) -> None:
    """Refuses a working tree whose `dvc.yaml` Git's rules ignore: DVC would read it as one without a pipeline."""
    pipeline = root / paths.PIPELINE
    if isinstance(repo.fs, LocalFileSystem) and pipeline.is_file() and repo.scm.is_ignored(str(pipeline)):
        raise DataError(
            f"Git ignores `{paths.PIPELINE}` of `{root}`, and DVC passes over ignored files",
            hint=f"`git check-ignore -v --no-index {paths.PIPELINE}` shows the rule; for a rule of your own, run"
            " `git config core.excludesFile /dev/null` in this clone",
        )


def _address(stage: PipelineStage, pipeline: str) -> str:
    """The name of a stage as `dvc repro` takes it in the repository's root."""
    return str(stage.name) if pipeline == str(paths.PIPELINE) else f"{pipeline}:{stage.name}"


def _run_key(stage: PipelineStage) -> str:
    entry = to_single_stage_lockfile(stage)
    entry["outs"] = [out["path"] for out in entry.get("outs", [])]
    return str(dict_sha256(entry, exclude=["size", "nfiles"]))


def locked_tags(root: Path) -> list[str]:
    """Every tag whose commit has a `dvc.lock`, sorted; older tags have nothing in the store."""
    with _read_errors(root, "the tags"), open_project(root) as repo:
        scm = repo.scm
        if not isinstance(scm, Git):
            return []
        project = Path(repo.root_dir).resolve().relative_to(Path(scm.root_dir).resolve())
        lock = f"/{(project / paths.LOCK).as_posix()}"
        return sorted(tag for tag in scm.list_tags() if _holds(scm, tag, lock))


def _holds(scm: Git, tag: str, path: str) -> bool:
    try:
        with map_scm_exception():
            return bool(_files_at(scm, tag).exists(path))
    except SCMError:  # a tag may name a single file or a folder
        return False


@contextmanager
def _read_errors(root: Path, label: str) -> Iterator[None]:
    try:
        with machine_errors(root), map_scm_exception():
            yield
    except (DvcException, SCMError, OSError) as error:
        raise DataError(
            f"the pipeline of {label} in `{root}` cannot be read: {error}",
            hint="name a commit, branch or tag of this repository that has `dvc.yaml` and `dvc.lock`",
        ) from error


def _output(out: DvcOutput, path: str, label: str) -> Output:
    if not out.hash_info:
        raise DataError(
            f"`dvc.lock` of {label} records no hash for `{path}`",
            hint="run `dvc repro` and commit `dvc.lock`, or leave this revision out",
        )
    if out.hash_info.name != "md5":
        raise DataError(
            f"`dvc.lock` of {label} records `{path}` by `{out.hash_info.name}`, as DVC 2 did",
            hint="run `dvc cache migrate --dvc-files` and `dvc push`, and commit `dvc.lock`",
        )
    if not re.fullmatch(OBJECT, str(out.hash_info.value)):
        raise DataError(
            f"`dvc.lock` of {label} records `{path}` by `{out.hash_info.value}`, which is not a hash",
            hint="restore `dvc.lock` from a commit that you trust: `git checkout REV -- dvc.lock`",
        )
    if not is_inside(path):
        raise DataError(
            f"`dvc.lock` of {label} records `{path}`, which is outside the repository's own folders",
            hint="do not trust this revision: its author tries to overwrite other files",
        )
    stage = getattr(out.stage, "name", None) or Path(out.stage.path).name
    meta = out.meta
    return Output(stage, path, str(out.hash_info.value), meta.size, meta.nfiles, out.hash_info.isdir)
