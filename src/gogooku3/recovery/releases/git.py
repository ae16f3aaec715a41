"""A typed wrapper of Git's command line: no shell, fixed settings, and errors with a hint.

Every Git command of the recovery runs through `run`, with settings and environment variables that keep its output and
its effects independent of the user's configuration. Settings of the network apply (proxies, credential helpers,
`url.*.insteadOf`, SSH), and so do those of the user's own working tree (ignored files, filters, line ends).
"""

from __future__ import annotations

import errno
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from gogooku3.errors import GitError
from gogooku3.runtime import interruption

WORKSPACE = "workspace"
"""The name of the working tree where a revision is expected."""

_SETTINGS = {
    "clone.defaultRemoteName": "origin",
    "color.ui": "never",
    "column.ui": "never",
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.quotePath": "false",
    "diff.algorithm": "myers",
    "diff.relative": "false",
    "fetch.prune": "false",
    "fetch.pruneTags": "false",
    "fetch.recurseSubmodules": "false",
    "log.follow": "false",
    "log.showSignature": "false",
    "maintenance.auto": "false",
    "protocol.file.allow": "always",
    "safe.bareRepository": "explicit",  # a commit can contain one, with settings that name programs
    "submodule.recurse": "false",
}
"""Settings of the user that would change an output, a clone or a reference, with the value that every command has."""

_CLONE_SETTINGS = {
    "core.attributesFile": os.devnull,
    "core.autocrlf": "false",
    "core.eol": "lf",
    "core.excludesFile": os.devnull,
}
"""Written to the configuration of new clones: their files have the bytes of the commit, which DVC's hashes expect, and
DVC, which passes over ignored pipeline files, sees all of them."""

_VARIABLES = {
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
}
"""Paths are no patterns, a hash means its object, commands that only read do not write the index, and messages are in
English."""

_UNSET_VARIABLES = frozenset(
    {
        # Git sets these for hooks and `rebase --exec`: with them it would use that repository, in any folder.
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_DIR",
        "GIT_GRAFT_FILE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_NAMESPACE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_QUARANTINE_PATH",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
        # These change formats and outputs.
        "GIT_DEFAULT_HASH",
        "GIT_EXTERNAL_DIFF",
        "GIT_GLOB_PATHSPECS",
        "GIT_ICASE_PATHSPECS",
        "GIT_NOGLOB_PATHSPECS",
        "LANGUAGE",
    }
)

_FULL_DISK = re.compile(r"No space left on device|Out of diskspace|Disk quota exceeded")


def run(
    root: Path,
    *arguments: str,
    stdin: str | None = None,
    detached: bool = False,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Runs `git` in a folder and returns its standard output.

    Args:
        stdin: text for its standard input.
        detached: run in a new session, so that a signal to this process group does not kill Git.
        settings: settings for this command only, in place of the fixed ones.

    Raises:
        GitError: Git is not installed, or fails.
        OSError: the disk of the folder is full.
    """
    done = run_unchecked(root, arguments, stdin, detached=detached, settings=settings)
    if done.returncode:
        if _FULL_DISK.search(done.stderr):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(root))
        reason = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise GitError(f"`git {arguments[0]}` failed in `{root}`: {reason}", hint="check it with `git status`")
    return done.stdout


def run_unchecked(
    root: Path,
    arguments: Sequence[str],
    stdin: str | None = None,
    *,
    detached: bool = False,
    settings: Mapping[str, str] = MappingProxyType({}),
    variables: Mapping[str, str] = MappingProxyType({}),
) -> subprocess.CompletedProcess[str]:
    """Runs `git` whether it fails or not, with settings and environment variables in place of the fixed ones."""
    if not {"clone", "fetch", "ls-remote", "push"}.intersection(arguments):
        # A repository of somebody else may declare a remote as the source of its missing objects, with a program.
        variables = {**variables, "GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1"}
    command = ["git", *_options({**_SETTINGS, **settings}), *arguments]
    try:
        return interruption.run(
            command,
            stdin=stdin,
            session=detached,
            cwd=root,
            env={name: value for name, value in os.environ.items() if name not in _UNSET_VARIABLES}
            | {**_VARIABLES, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="surrogateescape",
        )
    except FileNotFoundError:
        raise GitError("`git` is not installed", hint="install Git 2.30 or newer") from None


def _options(settings: Mapping[str, str]) -> list[str]:
    return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]


def clone(url: str, target: Path, *options: str) -> None:
    """Clones a repository into a new or empty folder, without a checkout.

    Args:
        url: anything that `git clone` takes.
        options: further options of `git clone`.
    """
    target.mkdir(parents=True, exist_ok=True)
    settings = _options(_CLONE_SETTINGS)
    # Git refuses to link the objects of a clone on the same disk if that is an overlay, as in a container, and damage
    # of a linked object is in both clones.
    run(target, "clone", "--quiet", "--no-checkout", "--no-hardlinks", *settings, *options, "--", absolute(url), ".")


def absolute(url: str) -> str:
    """Makes a path absolute: it is relative to the current folder, not to a new clone. A URL stays."""
    return str(Path(url).absolute()) if Path(url).exists() else url


def toplevel(folder: Path) -> Path:
    """Root of the project that contains a folder: the nearest parent with `.dvc`, else the root of the working tree.

    Raises `GitError` outside of a Git working tree, and in one that Git does not trust.
    """
    try:
        root = Path(run(folder, "rev-parse", "--show-toplevel").rstrip("\n"))
        require_sha1(folder)
    except _ObjectFormatError:
        raise
    except GitError as error:
        untrusted = "dubious ownership" in error.message
        raise GitError(
            f"`{folder}` is not in a Git working tree{' that Git trusts' * untrusted}: {error.message}",
            hint="if you trust its owner, run the command that Git names"
            if untrusted
            else "run inside a clone of the project (`git clone URL`)",
        ) from None
    resolved = folder.resolve()
    parents = [each for each in (resolved, *resolved.parents) if each.is_relative_to(root)]
    return next((each for each in parents if (each / ".dvc").is_dir()), root)


class _ObjectFormatError(GitError):
    """A repository whose objects have other hashes than SHA-1."""


def require_sha1(root: Path) -> None:
    """Raises `GitError` for a repository with SHA-256 objects, which DVC cannot read."""
    found = run(root, "rev-parse", "--show-object-format").strip()
    if found != "sha1":
        raise _ObjectFormatError(
            f"the Git repository of `{root}` names objects by {found.upper().replace('SHA', 'SHA-')}; DVC reads only"
            " SHA-1",
            hint="make it again with `git init --object-format=sha1`",
        )


def require_own_repository(root: Path) -> None:
    """Raises `GitError` if a project is in a subfolder of its repository: tags and clones belong to the whole of it."""
    if subfolder := subfolder_of(root):
        raise GitError(
            f"this project is the subfolder `{subfolder}` of a Git repository: the repository's tags are not its own",
            hint="releases need a repository of their own, such as `git subtree split` makes from the subfolder",
        )


def subfolder_of(root: Path) -> str:
    """The path of a project in its Git repository; empty if it has a repository of its own."""
    return run(root, "rev-parse", "--show-prefix").rstrip("\n/")


def commit_of(root: Path, rev: str) -> str:
    """Full hash of the commit of a tag, branch or abbreviated hash; raises `GitError` if there is none."""
    try:
        return run(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}").strip()
    except GitError:
        raise GitError(
            f"`{rev}` is not a commit here",
            hint="`git tag` lists the tags; `git fetch --tags` gets those of the remote",
        ) from None


def changes(root: Path) -> list[str]:
    """The lines of `git status`, untracked files included; empty for a clean working tree."""
    return run(root, "status", "--porcelain", "--no-renames", "--untracked-files=all").splitlines()


def show(root: Path, rev: str, path: Path | str) -> str | None:
    """Text of a file at a revision; None if the revision has no such file."""
    if not run(root, "ls-tree", "--name-only", rev, "--", str(path)):
        return None
    return run(root, "show", f"{rev}:./{path}")


def blobs(root: Path, commits: list[str], path: Path | str) -> dict[str, str]:
    """Blob hash of a file by commit, for the commits that have the file."""
    queries = "".join(f"{commit}:./{path}\n" for commit in commits)
    lines = run(root, "cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=queries).splitlines()
    fields = zip(commits, (line.split(" ") for line in lines), strict=True)
    return {commit: each[0] for commit, each in fields if each[1:] == ["blob"]}


def read_blob(root: Path, blob: str) -> str:
    """Text of a file by its blob hash."""
    return run(root, "cat-file", "blob", blob)


def tag_names(root: Path) -> list[str]:
    """Every tag, annotated or not."""
    return run(root, "for-each-ref", "refs/tags", "--format=%(refname:strip=2)").splitlines()


def common_folder(root: Path) -> Path:
    """Git's folder of a repository (`.git`), which all its worktrees share."""
    return root.absolute() / run(root, "rev-parse", "--git-common-dir").strip()


def own_hooks(root: Path) -> dict[str, str]:
    """The setting for commands about a repository's tags: its own hooks decide, those of the machine do not."""
    return {"core.hooksPath": str(common_folder(root) / "hooks")}
