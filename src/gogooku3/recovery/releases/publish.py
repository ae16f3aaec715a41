"""Shares release tags through the Git remote, which decides who gets a number: one atomic push, or nothing.

The objects of the tags are pushed before any local reference exists. So a push that fails, or that another clone's was
faster than, leaves no tag anywhere; and after a kill the remote has all tags of a release or none, and the next
`fetch_tags` gets them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from gogooku3.errors import GitError, RefusedError, abbreviate
from gogooku3.recovery.releases import git, record, tag_objects, tags

STALL_TIMEOUT = 60
"""Seconds without a byte after which Git gives up an HTTP server; SSH has its own settings."""

_RELEASE = re.compile(rf"{tags.TIER.pattern}[@#].+")
"""Names of tags that GTO may have made; other tags are left alone."""


def remote_of(root: Path) -> str | None:
    """Name of the Git remote that has the releases: of the branch's upstream, else `origin`, else the only one.

    None if the repository has no remote. Raises `RefusedError` if it has several and none of them is meant.
    """
    branch = git.run(root, "branch", "--show-current").strip()
    upstream = git.run(root, "for-each-ref", "--format=%(upstream:remotename)", f"refs/heads/{branch}").strip()
    names = git.run(root, "remote").splitlines()
    if branch and upstream and upstream != ".":
        return upstream
    if "origin" in names or len(names) < 2:
        return "origin" if "origin" in names else next(iter(names), None)
    raise RefusedError(
        f"which Git remote has the releases is unclear: the branch has no upstream, and there are {abbreviate(names)}",
        hint="choose one with `git branch --set-upstream-to=REMOTE/BRANCH`",
    )


def tags_of(root: Path, remote: str) -> dict[str, str]:
    """The hashes of a remote's tags by name; raises `GitError` if it cannot be read."""
    try:
        lines = _contact(root, "ls-remote", "--quiet", "--refs", "--tags", "--", remote).splitlines()
    except GitError as error:
        raise GitError(
            f"the tags of the Git remote `{remote}` cannot be read: {' '.join(error.message.split())}",
            hint=f"check network and access with `git ls-remote {shlex.quote(remote)}`",
        ) from None
    pairs = (line.split("\t", 1) for line in lines)
    return {ref.removeprefix("refs/tags/"): oid for oid, ref in pairs}


def unlike(root: Path, published: dict[str, str]) -> tuple[list[str], list[str]]:
    """The names of a remote's tags that the repository lacks, and of those that are other objects there."""
    local = _local(root)
    missing = [name for name in published if name not in local]
    return missing, [name for name, oid in published.items() if local.get(name, oid) != oid]


def fetch_tags(root: Path, remote: str) -> frozenset[str]:
    """Fetches the release tags that the repository lacks, and returns the names of all on the remote.

    Tags that the repository has are never changed.

    Raises:
        RefusedError: a tag of the repository is another one on the remote, or the remote has several push URLs; nothing
            was fetched.
        GitError: the remote cannot be read.
    """
    _push_url(root, remote)
    try:
        published = {name: oid for name, oid in tags_of(root, remote).items() if _RELEASE.fullmatch(name)}
    except GitError as error:
        raise GitError(error.message, hint=f"{error.hint}; `--no-push` makes local tags") from None
    missing, different = unlike(root, published)
    if different:
        own = [name for name in _with_stage_tags(root, different) if name not in published or name in different]
        raise RefusedError(
            f"`{'`, `'.join(sorted(different))}` on the Git remote `{remote}` is another tag than here",
            hint="a tag is never moved: find out which of the two is the release. If yours were never published,"
            f" `git tag --delete {shlex.join(own)}` removes them, and `gogooku3 promote` takes the next number",
        )
    if missing:
        wanted = "".join(f"refs/tags/{name}:refs/tags/{name}\n" for name in missing)
        options = ("--quiet", "--no-tags", "--no-prune", "--no-write-fetch-head", "--refmap=", "--stdin")
        _contact(root, "fetch", *options, "--", remote, stdin=wanted)
    return frozenset(published)


def publish(root: Path, remote: str, contents: dict[str, str]) -> None:
    """Makes tags from the contents of their objects, on the remote and then here: all or none.

    Raises:
        RefusedError: the remote has another tag of the same name by now; no tag was made.
        GitError: the remote refuses the tags or cannot be reached; no tag was made here.
    """
    objects = tag_objects.write(root, contents)
    push_tags(root, remote, objects)
    try:
        tag_objects.create_tags(root, contents)
    except GitError as error:
        # Git itself makes them if it tracks the remote's tags as local ones (`remote.NAME.fetch`).
        if objects.items() <= _local(root).items():
            return
        raise GitError(
            f"the tags are published on `{remote}`, and cannot be made here: {error.message}",
            hint=f"`git fetch {shlex.quote(remote)} --tags` makes them, after that is solved",
        ) from None


def push_tags(root: Path, remote: str, objects: dict[str, str]) -> None:
    """Pushes tag objects under their names in one atomic push: the remote takes all or none.

    Raises the errors of `publish`.
    """
    references = [f"{oid}:refs/tags/{name}" for name, oid in objects.items()]
    try:
        _contact(root, "push", "--quiet", "--atomic", "--no-follow-tags", "--", remote, *references)
    except GitError as error:
        # The connection may have ended after the remote took the tags.
        reason = " ".join(error.message.split())
        try:
            published = tags_of(root, _push_url(root, remote))
        except GitError:
            raise GitError(
                f"the push of the tags to `{remote}` failed, and whether they arrived is unknown: {reason}",
                hint="no tag was made here; when the remote answers, the same command fetches them or makes them",
            ) from None
        if objects.items() <= published.items():
            return
        taken = [name for name, oid in objects.items() if published.get(name, oid) != oid]
        if taken:
            raise RefusedError(
                f"`{'`, `'.join(taken)}` was published on `{remote}` in the meantime, by another clone",
                hint="nothing was tagged here; the same command again compares with that release, and takes the next"
                " number",
            ) from None
        raise GitError(
            f"the Git remote `{remote}` does not take the tags: {reason}",
            hint="no tag was made, here or there; solve that and run the same command again, or make local tags with"
            " `--no-push`",
        ) from None


def _push_url(root: Path, remote: str) -> str:
    """The URL to which Git pushes; raises `RefusedError` for several: no push to all of them is atomic."""
    urls = git.run(root, "remote", "get-url", "--push", "--all", remote).splitlines()
    if len(urls) != 1:
        raise RefusedError(
            f"the Git remote `{remote}` has {len(urls)} push URLs, and one push cannot be atomic for all of them",
            hint="leave one (`git remote set-url --delete --push`), or make local tags with `--no-push`",
        )
    return urls[0]


def unpublished_stages(root: Path, tier: str, published: frozenset[str]) -> dict[str, str]:
    """Stage tags of a tier, with their hashes, whose version tag is published and they are not."""
    local = _local(root)
    releases = [release for release in tags.read(root).of(tier) if release.tag.name in published]
    stages = set(filter(None, (record.stage_tag_of(release.tag) for release in releases))) & local.keys() - published
    return {name: local[name] for name in sorted(stages)}


def command(root: Path, names: Sequence[str]) -> str:
    """The command that publishes local tags, all or none."""
    try:
        remote = remote_of(root)
    except RefusedError:
        remote = "REMOTE"
    addition = "git remote add origin URL && " if remote is None else ""
    return f"{addition}git push --atomic {shlex.join([remote or 'origin', *(f'refs/tags/{name}' for name in names)])}"


def _local(root: Path) -> dict[str, str]:
    lines = git.run(root, "for-each-ref", "refs/tags", "--format=%(objectname) %(refname:strip=2)").splitlines()
    return {name: oid for oid, name in (line.split(" ", 1) for line in lines)}


def _with_stage_tags(root: Path, names: list[str]) -> list[str]:
    """Local tags with the stage tags that were made together with them."""
    made = [each for each in tag_objects.annotated_tags(root) if each.name in names]
    stages = [name for tag in made if (name := record.stage_tag_of(tag))]
    return sorted({*names, *(name for name in stages if name in _local(root))})


def _contact(root: Path, *arguments: str, stdin: str | None = None) -> str:
    """Runs a Git command that contacts a remote and ends in time if an HTTP server is silent."""
    limits = {"http.lowSpeedLimit": "1", "http.lowSpeedTime": str(STALL_TIMEOUT)}
    return git.run(root, *arguments, stdin=stdin, settings=limits | git.own_hooks(root))
