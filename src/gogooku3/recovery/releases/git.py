"""A typed wrapper of Git's command line: no shell, fixed settings, and errors with a hint.

Every Git command of the recovery runs through `run`, with settings and environment variables that keep its output and
its effects independent of the user's configuration. Settings of the network apply (proxies, credential helpers,
`url.*.insteadOf`, SSH), and so do those of the user's own working tree (ignored files, filters, line ends).
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from gogooku3.errors import GitError
from gogooku3.recovery import interruption

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

_SIGNATURE = re.compile(r"^-----BEGIN (?:PGP SIGNATURE|PGP MESSAGE|SIGNED MESSAGE|SSH SIGNATURE)-----", re.MULTILINE)


@dataclass(frozen=True)
class AnnotatedTag:
    """A tag object and its commit."""

    name: str
    object: str
    """Hash of the tag object itself."""
    commit: str
    message: str
    """Without the signature."""
    recorded_name: str
    """The name inside of the object, which a signature covers. It differs if the object was put under another name."""
    signature: str = ""
    """OpenPGP, X.509 or SSH signature of the object; `signatures` checks it."""
    time: int = 0
    """When it was made by its tagger's clock, in seconds since 1970; 0 without a tagger."""
    commit_time: int = 0
    """The committer's time of its commit, in seconds since 1970."""

    @property
    def is_renamed(self) -> bool:
        """Whether this is the object of another tag."""
        return self.recorded_name != self.name


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
    """
    done = _completed(root, arguments, stdin, detached=detached, settings=settings)
    if done.returncode:
        reason = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise GitError(f"`git {arguments[0]}` failed in `{root}`: {reason}", hint="check it with `git status`")
    return done.stdout


def _completed(
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
    run(target, "clone", "--quiet", "--no-checkout", *settings, *options, "--", absolute(url), ".")


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
    subfolder = run(root, "rev-parse", "--show-prefix").rstrip("\n/")
    if subfolder:
        raise GitError(
            f"this project is the subfolder `{subfolder}` of a Git repository: the repository's tags are not its own",
            hint="releases need a repository of their own, such as `git subtree split` makes from the subfolder",
        )


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


def annotated_tags(root: Path) -> list[AnnotatedTag]:
    """Every annotated tag, sorted by name; lightweight tags are left out, as in GTO."""
    times = ("taggerdate:unix", "*committerdate:unix")
    fields = ("refname:strip=2", "objecttype", "objectname", "*objectname", "tag", *times, "contents")
    form = "".join(f"%({field})%00" for field in fields)
    cells = run(root, "for-each-ref", "refs/tags", f"--format={form}").split("\0")[:-1]
    rows = [cells[start : start + len(fields)] for start in range(0, len(cells), len(fields))]
    return [
        AnnotatedTag(
            name.lstrip("\n"), object_hash, commit, message, recorded, signature, _seconds(time), _seconds(made)
        )
        for name, kind, object_hash, commit, recorded, time, made, contents in rows
        for message, signature in (_split_signature(contents),)
        if kind == "tag"
    ]


def _seconds(text: str) -> int:
    """A time as Git prints it; 0 for the empty text of an object without one."""
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else 0


def _split_signature(contents: str) -> tuple[str, str]:
    """Message and signature of a tag, split at the last line that begins a signature, as Git does.

    Git before 2.34 does not know SSH signatures, so `%(contents:signature)` would leave them in the message.
    """
    begins = [match.start() for match in _SIGNATURE.finditer(contents)]
    return (contents[: begins[-1]], contents[begins[-1] :]) if begins else (contents, "")


def tag_names(root: Path) -> list[str]:
    """Every tag, annotated or not."""
    return run(root, "for-each-ref", "refs/tags", "--format=%(refname:strip=2)").splitlines()


def tag_object(root: Path, name: str, commit: str, message: str, *, later_than: int = 0) -> str:
    """Content of a new annotated tag in the committer's name.

    Args:
        later_than: a time that the tag's is later than, in seconds since 1970, even if this machine's clock is behind.

    Raises:
        GitError: no committer is configured.
    """
    try:
        tagger = run(root, "var", "GIT_COMMITTER_IDENT").strip()
    except GitError as error:
        raise GitError(
            f"Git has no name and address for the tag: {error.message}",
            hint="set them with `git config user.name NAME` and `git config user.email ADDRESS`",
        ) from None
    identity, seconds, zone = tagger.rsplit(" ", 2)
    tagger = f"{identity} {max(int(seconds), later_than + 1)} {zone}"
    return f"object {commit}\ntype commit\ntag {name}\ntagger {tagger}\n\n{message}"


def sign_tag(root: Path, content: str) -> str:
    """Content of a tag object, signed as the user's Git settings say: same name, commit, time and message.

    `git tag` always writes a reference, so it runs in a temporary repository that shares the objects.

    Raises `GitError` if it cannot be signed.
    """
    head, message = content.split("\n\n", 1)
    target, _, tag, tagger = (line.split(" ", 1)[1] for line in head.split("\n"))
    with _sharing_objects(root) as repository:
        done = _completed(
            root,
            (repository, "tag", "--sign", "--cleanup=verbatim", "--file=-", "--", tag, target),
            message,
            settings=_signing_settings(root),
            variables={"GIT_COMMITTER_DATE": "@" + " ".join(tagger.rsplit(" ", 2)[1:])},
        )
        signed = "" if done.returncode else run(root, repository, "cat-file", "tag", tag)
    if not _split_signature(signed)[1]:  # Git can fail to sign, and succeed
        raise GitError(
            f"`{tag}` cannot be signed: {' '.join(done.stderr.split())}",
            hint="name a key with `git config user.signingKey KEY`, and its kind with `git config gpg.format ssh`",
        )
    return signed


def _signing_settings(root: Path) -> dict[str, str]:
    """The settings of a repository that decide on who signs a tag, and how."""
    settings = (line.partition("\n") for line in run(root, "config", "--list", "--null").split("\0"))
    return {
        name: value if has_value else "true"
        for name, has_value, value in settings
        if name.startswith(("user.", "committer.", "gpg."))
    }


def signs_tags(root: Path) -> bool:
    """Whether the user's Git settings say that tags are signed."""
    return run(root, "config", "--type=bool", "--default=false", "--get", "tag.gpgSign").strip() == "true"


def verify_tag(root: Path, tag: AnnotatedTag, allowed_signers: Path | None) -> tuple[bool, str]:
    """Checks the signature of a tag object with `git verify-tag`, in a temporary repository.

    Settings of the tag's own repository, which may be somebody else's, decide neither on the programs that run nor on
    the keys.

    Args:
        allowed_signers: trusted SSH keys; None for those in the user's settings, if there are any.

    Returns:
        Whether the signature is good and its signer known, and the output of the program that checked it.
    """
    with _sharing_objects(root) as repository:
        settings = {}
        own_list = run(root, repository, "config", "--default=", "--get", "gpg.ssh.allowedSignersFile").strip()
        if allowed_signers is not None or not own_list:
            # Git needs a file to check an SSH signature, even against no signers.
            settings = {"gpg.ssh.allowedSignersFile": str((allowed_signers or Path(os.devnull)).absolute())}
        done = _completed(root, (repository, "verify-tag", "--raw", tag.object), settings=settings)
    return done.returncode == 0, done.stderr


@contextmanager
def _sharing_objects(root: Path) -> Iterator[str]:
    """Context manager: the option for Git commands in a temporary repository with a repository's objects.

    It has neither its references nor its settings.
    """
    with tempfile.TemporaryDirectory() as folder:
        run(root, "init", "--quiet", "--bare", "--template=", "--", folder)
        objects = root / run(root, "rev-parse", "--git-path", "objects").rstrip("\n")
        (Path(folder) / "objects/info/alternates").write_text(f"{objects.absolute()}\n", encoding="utf-8")
        yield f"--git-dir={folder}"


def read_tag_object(root: Path, tag: AnnotatedTag) -> str:
    """Content of an existing tag's object."""
    return run(root, "cat-file", "tag", tag.object)


def renamed(content: str, name: str) -> str:
    """Content of a tag object with another name and the same commit, tagger, time and message.

    A signature is left out: it does not cover the new name.
    """
    target, kind, _, rest = _split_signature(content)[0].split("\n", 3)
    return "\n".join((target, kind, f"tag {name}", rest))


def write_tag_objects(root: Path, contents: dict[str, str]) -> dict[str, str]:
    """Stores the objects of tags, and returns their hashes by name; no reference is made."""
    return {name: run(root, "mktag", stdin=content).strip() for name, content in contents.items()}


def create_tags(root: Path, contents: dict[str, str]) -> None:
    """Creates tags from the contents of their objects in one atomic transaction, in the given order.

    Existing tags are never moved: if one exists, no tag is created. The transaction reaches Git in one write and Git
    runs detached, so after a kill of the caller either all tags exist or none. An interruption waits for its end.

    Raises:
        GitError: a tag exists, or another Git process has the references locked.
    """
    objects = write_tag_objects(root, contents)
    lines = ["start", *(f"create refs/tags/{name} {tag}" for name, tag in objects.items()), "prepare", "commit"]
    with interruption.held():
        run(root, "update-ref", "--stdin", stdin="\n".join(lines) + "\n", detached=True, settings=own_hooks(root))


def own_hooks(root: Path) -> dict[str, str]:
    """The setting for commands about a repository's tags: its own hooks decide, those of the machine do not."""
    return {"core.hooksPath": str(root.absolute() / run(root, "rev-parse", "--git-common-dir").strip() / "hooks")}
