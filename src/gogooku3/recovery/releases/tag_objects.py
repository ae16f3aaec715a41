"""Annotated tags as Git objects: read them, write new ones, and create their references, all or none.

`signatures` signs them and checks their signatures.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from gogooku3.errors import GitError
from gogooku3.recovery.releases import git
from gogooku3.runtime import interruption

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


def annotated_tags(root: Path) -> list[AnnotatedTag]:
    """Every annotated tag, sorted by name; lightweight tags are left out, as in GTO."""
    times = ("taggerdate:unix", "*committerdate:unix")
    fields = ("refname:strip=2", "objecttype", "objectname", "*objectname", "tag", *times, "contents")
    form = "".join(f"%({field})%00" for field in fields)
    cells = git.run(root, "for-each-ref", "refs/tags", f"--format={form}").split("\0")[:-1]
    rows = [cells[start : start + len(fields)] for start in range(0, len(cells), len(fields))]
    return [
        AnnotatedTag(
            name.lstrip("\n"), object_hash, commit, message, recorded, signature, _seconds(time), _seconds(made)
        )
        for name, kind, object_hash, commit, recorded, time, made, contents in rows
        for message, signature in (split_signature(contents),)
        if kind == "tag"
    ]


def _seconds(text: str) -> int:
    """A time as Git prints it; 0 for the empty text of an object without one."""
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else 0


def split_signature(contents: str) -> tuple[str, str]:
    """Message and signature of a tag, split at the last line that begins a signature, as Git does.

    Git before 2.34 does not know SSH signatures, so `%(contents:signature)` would leave them in the message.
    """
    begins = [match.start() for match in _SIGNATURE.finditer(contents)]
    return (contents[: begins[-1]], contents[begins[-1] :]) if begins else (contents, "")


def new_object(root: Path, name: str, commit: str, message: str, *, later_than: int = 0) -> str:
    """Content of a new annotated tag in the committer's name.

    Args:
        later_than: a time that the tag's is later than, in seconds since 1970, even if this machine's clock is behind.

    Raises:
        GitError: no committer is configured.
    """
    try:
        tagger = git.run(root, "var", "GIT_COMMITTER_IDENT").strip()
    except GitError as error:
        raise GitError(
            f"Git has no name and address for the tag: {error.message}",
            hint="set them with `git config user.name NAME` and `git config user.email ADDRESS`",
        ) from None
    identity, seconds, zone = tagger.rsplit(" ", 2)
    tagger = f"{identity} {max(int(seconds), later_than + 1)} {zone}"
    return f"object {commit}\ntype commit\ntag {name}\ntagger {tagger}\n\n{message}"


def read(root: Path, tag: AnnotatedTag) -> str:
    """Content of an existing tag's object."""
    return git.run(root, "cat-file", "tag", tag.object)


def renamed(content: str, name: str) -> str:
    """Content of a tag object with another name and the same commit, tagger, time and message.

    A signature is left out: it does not cover the new name.
    """
    target, kind, _, rest = split_signature(content)[0].split("\n", 3)
    return "\n".join((target, kind, f"tag {name}", rest))


def write(root: Path, contents: dict[str, str]) -> dict[str, str]:
    """Stores the objects of tags, and returns their hashes by name; no reference is made."""
    return {name: git.run(root, "mktag", stdin=content).strip() for name, content in contents.items()}


def create_tags(root: Path, contents: dict[str, str]) -> None:
    """Creates tags from the contents of their objects in one atomic transaction, in the given order.

    Existing tags are never moved: if one exists, no tag is created. The transaction reaches Git in one write and Git
    runs detached, so after a kill of the caller either all tags exist or none. An interruption waits for its end.

    Raises:
        GitError: a tag exists, or another Git process has the references locked.
    """
    objects = write(root, contents)
    lines = ["start", *(f"create refs/tags/{name} {tag}" for name, tag in objects.items()), "prepare", "commit"]
    with interruption.held():
        git.run(
            root, "update-ref", "--stdin", stdin="\n".join(lines) + "\n", detached=True, settings=git.own_hooks(root)
        )
