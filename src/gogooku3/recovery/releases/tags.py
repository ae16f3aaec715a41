"""Registry of releases in Git tags: parses a tier's tags in GTO's format.

`tier1@v1.0.0` registers a version; `tier1#best#1` assigns the stage `best` to the version at its commit, and the last
assignment counts; `!` before the counter or at the end revokes either. `gto show`, `gto history` and `dvc artifacts
get` read the same tags.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from gogooku3.errors import ConfigError, DataError, MismatchError
from gogooku3.recovery.releases import git

BEST = "best"

_NUMBER = r"0|[1-9][0-9]{0,8}"  # Python refuses to parse integers of thousands of digits
_TIER = r"(?P<tier>[a-zA-Z0-9](?:[a-zA-Z0-9/_-]*[a-zA-Z0-9])?)"
_VERSION = rf"v(?P<major>{_NUMBER})\.(?P<minor>{_NUMBER})\.(?P<patch>{_NUMBER})"
_COUNTER = r"(?:#(?P<counter>[0-9]{1,9}))?"

TIER = re.compile(_TIER)
VERSION = re.compile(_VERSION)
VERSION_TAG = re.compile(rf"{_TIER}@{_VERSION}(?P<cancel>!?){_COUNTER}")
STAGE_TAG = re.compile(rf"{_TIER}#(?P<stage>[a-zA-Z0-9](?:[a-zA-Z0-9/_-]*[a-zA-Z0-9])?)(?P<cancel>!?){_COUNTER}")


@dataclass(frozen=True, order=True)
class Version:
    """A version: three numbers, ordered."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> Version:
        """Reads `v1.0.0`; raises `ConfigError` for anything else."""
        match = VERSION.fullmatch(text)
        if match is None:
            raise ConfigError(f"`{text}` is not a version", hint="a version is three numbers, such as `v1.0.0`")
        return _version(match)

    def __str__(self) -> str:
        return f"v{self.major}.{self.minor}.{self.patch}"

    def next_minor(self) -> Version:
        """The default next version."""
        return Version(self.major, self.minor + 1, 0)


FIRST = Version(1, 0, 0)


@dataclass(frozen=True)
class Release:
    """A registered version of a tier."""

    tier: str
    version: Version
    tag: git.AnnotatedTag

    @property
    def commit(self) -> str:
        """Hash of the released commit."""
        return self.tag.commit


@dataclass(frozen=True)
class Registry:
    """All releases and stages in a repository's tags."""

    releases: tuple[Release, ...]
    """By tier, then by version."""
    versions: frozenset[tuple[str, Version]]
    """Of every tier, including revoked versions."""
    stages: tuple[tuple[re.Match[str], str], ...]
    """Matches of `STAGE_TAG` and their commits, in the order of their counters."""
    names: frozenset[str]
    """Every tag, including lightweight ones: the names in use."""
    renamed: tuple[git.AnnotatedTag, ...] = ()
    """Tags of versions and stages that are the objects of other tags; they are neither releases nor stages."""

    def of(self, tier: str) -> list[Release]:
        """Releases of a tier, oldest version first."""
        return [release for release in self.releases if release.tier == tier]

    def best(self, tier: str) -> Release | None:
        """The release with the stage `best`: the last one that was assigned it and not revoked."""
        commits: list[str] = []
        for match, commit in self.stages:
            if match["tier"] == tier and match["stage"] == BEST:
                commits = [other for other in commits if other != commit]
                if not match["cancel"]:
                    commits.append(commit)
        by_commit = {release.commit: release for release in self.of(tier)}
        releases = [by_commit[commit] for commit in commits if commit in by_commit]
        return releases[-1] if releases else None

    def find(self, name: str) -> Release:
        """The release of `TIER@VERSION`, or the best one of `TIER`; raises `DataError` if there is none."""
        tier, at, version = name.partition("@")
        for tag in self.renamed:
            if tag.name == name or (not at and (mark := STAGE_TAG.fullmatch(tag.name)) and mark["tier"] == tier):
                raise MismatchError(
                    f"`{tag.name}` is the object of the tag `{tag.recorded_name}`",
                    hint="do not trust the tag, it was put under another name: ask for it where the tags are made",
                )
        releases = self.of(tier)
        if not releases:
            tiers = ", ".join(sorted({release.tier for release in self.releases})) or "none"
            raise DataError(
                f"no version of `{tier}` was released; tiers with one: {tiers}",
                hint="`gogooku3 tiers` lists them; `git fetch --tags` gets the remote's tags",
            )
        release = next((r for r in releases if str(r.version) == version), None) if at else self.best(tier)
        if release is None:
            raise DataError(
                f"`{name}` was never released" if at else f"no version of `{tier}` is marked as its best",
                hint=f"name one of the versions of `{tier}`: {', '.join(each.tag.name for each in releases)}",
            )
        return release

    def next_version(self, tier: str) -> Version:
        """The version after the tier's newest one; the names of revoked versions are not used again."""
        versions = [version for of, version in self.versions if of == tier]
        return max(versions).next_minor() if versions else FIRST

    def next_stage_tag(self, tier: str) -> str:
        """Name of the next tag that assigns `best`; GTO counts all stages of a tier together."""
        matches = [match for name in self.names if (match := STAGE_TAG.fullmatch(name))]
        counters = [int(match["counter"] or 0) for match in matches if match["tier"] == tier]
        return f"{tier}#{BEST}#{max(counters, default=0) + 1}"


def version_tag(tier: str, version: Version) -> str:
    """Name of the tag that registers a version."""
    return f"{tier}@{version}"


def find(root: Path, name: str) -> Release:
    """The release of `TIER@VERSION` or `TIER` in a repository: see `Registry.find`."""
    return read(root).find(name)


def check_tier(tier: str) -> None:
    """Raises `ConfigError` for a name that cannot be part of a tag."""
    if TIER.fullmatch(tier) is None:
        raise ConfigError(
            f"`{tier}` cannot be a tier's name",
            hint="use letters, digits, `-`, `_` and `/`; the first and last must be a letter or a digit",
        )


def read(root: Path) -> Registry:
    """Reads the annotated tags of a repository; a revoked version is not among the releases."""
    annotated = git.annotated_tags(root)
    tags = [tag for tag in annotated if not tag.is_renamed]
    versions = [(match, tag) for tag in tags if (match := VERSION_TAG.fullmatch(tag.name))]
    stages = [(match, tag.commit) for tag in tags if (match := STAGE_TAG.fullmatch(tag.name))]
    cancelled = {(match["tier"], _version(match)) for match, _ in versions if match["cancel"]}
    releases = [
        Release(match["tier"], _version(match), tag)
        for match, tag in versions
        if (match["tier"], _version(match)) not in cancelled
    ]
    return Registry(
        tuple(sorted(releases, key=lambda release: (release.tier, release.version))),
        frozenset((match["tier"], _version(match)) for match, _ in versions),
        tuple(sorted(stages, key=lambda stage: int(stage[0]["counter"] or 0))),
        frozenset(git.tag_names(root)),
        tuple(
            tag
            for tag in annotated
            if tag.is_renamed and (VERSION_TAG.fullmatch(tag.name) or STAGE_TAG.fullmatch(tag.name))
        ),
    )


def _version(match: re.Match[str]) -> Version:
    return Version(int(match["major"]), int(match["minor"]), int(match["patch"]))
