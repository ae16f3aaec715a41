"""Git, asked through its own command line: typed, without a shell, and with an error that says what to do."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from gogooku3.errors import GitError

WORKSPACE = "workspace"
"""How the working tree is named beside revisions."""

_ELSEWHERE = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_DIR",
        "GIT_INDEX_FILE",
        "GIT_NAMESPACE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_WORK_TREE",
    }
)
"""Variables that Git sets for its hooks and for `rebase --exec`: with them it works on that repository, wherever it is
run."""


@dataclass(frozen=True)
class AnnotatedTag:
    """A tag object and what it points to."""

    name: str
    object: str
    """Hash of the tag object itself."""
    commit: str
    message: str


def run(root: Path, *arguments: str, given: str | None = None, detached: bool = False) -> str:
    """Runs `git` in a folder and returns what it printed.

    Args:
        given: text for its standard input.
        detached: in a session of its own, so that what kills this process group lets Git come to its end.

    Raises:
        GitError: Git is not installed, or fails.
    """
    command = ["git", "-c", "core.quotePath=false", *arguments]
    try:
        done = subprocess.run(  # noqa: S603  (a list of arguments, no shell)
            command,
            cwd=root,
            env={name: value for name, value in os.environ.items() if name not in _ELSEWHERE},
            input=given,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
            start_new_session=detached,
        )
    except FileNotFoundError:
        raise GitError("`git` is not installed", hint="install Git 2.30 or newer") from None
    if done.returncode:
        said = done.stderr.strip() or f"exit code {done.returncode}"
        raise GitError(f"`git {arguments[0]}` failed in `{root}`: {said}", hint="`git status` shows the repository")
    return done.stdout


def toplevel(folder: Path) -> Path:
    """Root of the working tree that holds a folder; raises `GitError` when there is none."""
    try:
        return Path(run(folder, "rev-parse", "--show-toplevel").rstrip("\n"))
    except GitError as error:
        raise GitError(
            f"`{folder}` is not in a Git working tree: {error.message}",
            hint="run inside a clone of the project (`git clone URL`)",
        ) from None


def commit_of(root: Path, rev: str) -> str:
    """Full hash of the commit that a tag, branch or abbreviated hash names; raises `GitError` when none is."""
    try:
        return run(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}").strip()
    except GitError:
        raise GitError(
            f"`{rev}` names no commit here",
            hint="`git tag` lists the tags; `git fetch --tags` brings those of the remote",
        ) from None


def changes(root: Path) -> list[str]:
    """What `git status` lists, untracked files included: a clean tree has none."""
    return run(root, "status", "--porcelain", "--untracked-files=all").splitlines()


def show(root: Path, rev: str, path: Path | str) -> str | None:
    """Text of a file at a revision; None where the revision has no such file."""
    if not run(root, "ls-tree", "--name-only", rev, "--", str(path)):
        return None
    return run(root, "show", f"{rev}:./{path}")


def blobs(root: Path, commits: list[str], path: Path | str) -> dict[str, str]:
    """Hash of a file's content by commit, of those that have the file."""
    asked = "".join(f"{commit}:./{path}\n" for commit in commits)
    answers = run(root, "cat-file", "--batch-check=%(objectname) %(objecttype)", given=asked).splitlines()
    found = zip(commits, (answer.split(" ") for answer in answers), strict=True)
    return {commit: fields[0] for commit, fields in found if fields[1:] == ["blob"]}


def read_blob(root: Path, blob: str) -> str:
    """Text of a file by the hash of its content."""
    return run(root, "cat-file", "blob", blob)


def annotated_tags(root: Path) -> list[AnnotatedTag]:
    """Every annotated tag, by name; lightweight ones, which GTO ignores too, are left out."""
    fields = ("refname:strip=2", "objecttype", "objectname", "*objectname", "contents")
    form = "".join(f"%({field})%00" for field in fields)
    cells = run(root, "for-each-ref", "refs/tags", f"--format={form}").split("\0")[:-1]
    rows = [cells[start : start + len(fields)] for start in range(0, len(cells), len(fields))]
    return [
        AnnotatedTag(name.lstrip("\n"), own, commit, message)
        for name, kind, own, commit, message in rows
        if kind == "tag"
    ]


def tag_names(root: Path) -> list[str]:
    """Every tag, annotated or not."""
    return run(root, "tag", "--list").splitlines()


def tag_object(root: Path, name: str, commit: str, message: str) -> str:
    """Content of a new annotated tag, signed with the committer's name; raises `GitError` when Git knows none."""
    try:
        tagger = run(root, "var", "GIT_COMMITTER_IDENT").strip()
    except GitError as error:
        raise GitError(
            f"Git does not know who makes the tag: {error.message}",
            hint="`git config user.name NAME` and `git config user.email ADDRESS`",
        ) from None
    return f"object {commit}\ntype commit\ntag {name}\ntagger {tagger}\n\n{message}"


def read_tag_object(root: Path, tag: AnnotatedTag) -> str:
    """Content of an existing tag's object."""
    return run(root, "cat-file", "tag", tag.object)


def renamed(content: str, name: str) -> str:
    """Content of a tag object under another name: same commit, tagger, time and message."""
    target, kind, _, rest = content.split("\n", 3)
    return "\n".join((target, kind, f"tag {name}", rest))


def create_tags(root: Path, contents: dict[str, str]) -> None:
    """Makes tags by name from the contents of their objects in one transaction, in the order given.

    A tag that exists is never moved: nothing is made then. The few bytes of the transaction reach Git in one write,
    and Git runs detached: killing the caller gives all of them or none.

    Raises:
        GitError: a tag exists, or another Git process holds the references.
    """
    objects = {name: run(root, "mktag", given=content).strip() for name, content in contents.items()}
    lines = ["start", *(f"create refs/tags/{name} {own}" for name, own in objects.items()), "prepare", "commit"]
    run(root, "update-ref", "--stdin", given="\n".join(lines) + "\n", detached=True)
