"""Registry of releases in Git tags: parses a tier's tags in GTO's format.

`tier1@v1.0.0` registers a version; `tier1#best#1` assigns the stage `best` to the version at its commit;
`tier1@deprecated` revokes the whole tier. `!` before the counter or at the end revokes a version or a stage. `gto
show`, `gto history` and `dvc artifacts get` read the same tags.

GTO applies tags in the order of their times, not of their counters, and so does this module: it is the one rule by
which a version is the best. `promote` makes tags that are later than every earlier one of the tier, so both orders are
the same.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gogooku3.errors import ConfigError, DataError, MismatchError
from gogooku3.recovery.releases import git, tag_objects

BEST = "best"

_NUMBER = r"0|[1-9][0-9]{0,8}"  # Python refuses to parse integers of thousands of digits
_TIER = r"(?P<tier>[a-zA-Z0-9](?:[a-zA-Z0-9/_-]*[a-zA-Z0-9])?)"
_VERSION = rf"v(?P<major>{_NUMBER})\.(?P<minor>{_NUMBER})\.(?P<patch>{_NUMBER})"
_COUNTER = r"(?:#(?P<counter>[0-9]{1,9}))?"

TIER = re.compile(_TIER)
VERSION = re.compile(_VERSION)
VERSION_TAG = re.compile(rf"{_TIER}@{_VERSION}(?P<cancel>!?){_COUNTER}")
DEPRECATION_TAG = re.compile(rf"{_TIER}@deprecated{_COUNTER}")
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
    tag: tag_objects.AnnotatedTag
    registered: tuple[int, int, str] = (0, 0, "")
    """Time of its last registration, then time and name of its first tag: GTO's order for equal times."""

    @property
    def commit(self) -> str:
        """Hash of the released commit."""
        return self.tag.commit


@dataclass(frozen=True)
class Assignment:
    """A tag that assigns a stage to a commit of a tier, or revokes it there."""

    tier: str
    stage: str
    tag: tag_objects.AnnotatedTag
    revokes: bool


@dataclass(frozen=True)
class Registry:
    """All releases and stages in a repository's tags."""

    releases: tuple[Release, ...]
    """By tier, then by version; neither revoked versions nor those of a tier that was deprecated as a whole."""
    registered: tuple[Release, ...]
    """All that were ever registered, the revoked ones included."""
    assignments: tuple[Assignment, ...]
    """By time; in one second, revocations are last."""
    newest: dict[str, int]
    """Time of the newest tag of each tier."""
    names: frozenset[str]
    """Every tag, including lightweight ones: the names in use."""
    renamed: tuple[tag_objects.AnnotatedTag, ...] = ()
    """Tags that are the objects of other tags; they count neither as releases nor as stages."""

    def of(self, tier: str) -> list[Release]:
        """Releases of a tier, oldest version first."""
        return [release for release in self.releases if release.tier == tier]

    def ever(self, tier: str) -> list[Release]:
        """Releases of a tier, the revoked ones included, oldest version first."""
        return [release for release in self.registered if release.tier == tier]

    def best(self, tier: str) -> Release | None:
        """The release with the stage `best`: the one to which it was assigned last, by the tags' times.

        A stage on a commit without a version is ignored, as by `gto show --registered-only`.
        """
        ordered = sorted(self.of(tier), key=lambda release: release.registered)
        assigned = [(time, release) for release in ordered if (time := self._assigned(release)) is not None]
        return max(assigned, key=lambda each: each[0])[1] if assigned else None

    def _assigned(self, release: Release) -> int | None:
        """When a release was last assigned `best`; None if it never was, or if it was revoked since."""
        events = [each for each in self._best_tags(release.tier) if each.tag.commit == release.commit]
        if not events or events[-1].revokes:
            return None
        return max(event.tag.time for event in events if not event.revokes)

    def best_for_dvc(self, tier: str) -> str | None:
        """The commit that `dvc artifacts get --stage best` gets: of the last tag, even if it revokes the stage."""
        events = self._best_tags(tier)
        return max(events, key=lambda event: (event.tag.time, event.tag.name)).tag.commit if events else None

    def _best_tags(self, tier: str) -> list[Assignment]:
        return [each for each in self.assignments if (each.tier, each.stage) == (tier, BEST)]

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
        named = (each for each in releases if version == str(each.version) or name == each.tag.name)
        release = next(named, None) if at else self.best(tier)
        if release is None:
            raise self._not_found(name, tier, version if at else None)
        return release

    def _not_found(self, name: str, tier: str, version: str | None) -> DataError:
        releases, ever = self.of(tier), self.ever(tier)
        if not ever:
            tiers = ", ".join(sorted({release.tier for release in self.releases})) or "none"
            return DataError(
                f"no version of `{tier}` was released; tiers with one: {tiers}",
                hint="`gogooku3 tiers` lists them; `git fetch --tags` gets the remote's tags",
            )
        revoked = [each.tag.name for each in ever if str(each.version) == version or not releases]
        if revoked:
            return DataError(
                f"`{'`, `'.join(revoked)}` was revoked with `gto deprecate`",
                hint=f"`git checkout {revoked[-1]}` and `dvc pull` still get it",
            )
        return DataError(
            f"`{name}` was never released" if version is not None else f"no version of `{tier}` is marked as its best",
            hint=f"name one of the versions of `{tier}`: {', '.join(each.tag.name for each in releases)}",
        )

    def next_version(self, tier: str) -> Version:
        """The version after the tier's newest one; the names of revoked versions are not used again."""
        versions = [release.version for release in self.ever(tier)]
        following = max(versions).next_minor() if versions else FIRST
        while version_tag(tier, following) in self.names:  # a lightweight tag
            following = following.next_minor()
        return following

    def next_stage_tag(self, tier: str) -> str:
        """Name of the next tag that assigns `best`; GTO counts all tags of a tier together."""
        matches = [match for name in self.names if (match := _parse(name)) and match["tier"] == tier]
        counters = [int(match["counter"] or 0) for match in matches]
        return f"{tier}#{BEST}#{max(counters, default=0) + 1}"


def version_tag(tier: str, version: Version) -> str:
    """Name of the tag that registers a version."""
    return f"{tier}@{version}"


def marks_best(name: str, tier: str) -> bool:
    """Whether a tag of this name assigns the stage `best` in a tier, as `Registry.next_stage_tag` names it."""
    match = STAGE_TAG.fullmatch(name)
    return match is not None and (match["tier"], match["stage"], match["cancel"]) == (tier, BEST, "")


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
    """Reads the annotated tags of a repository.

    Raises `GitError` if the project is only a subfolder of the repository.
    """
    git.require_own_repository(root)
    annotated = [(match, tag) for tag in tag_objects.annotated_tags(root) if (match := _parse(tag.name))]
    tags = [(match, tag) for match, tag in annotated if not tag.is_renamed]
    versions, stages, deprecations = (
        [(match, tag) for match, tag in tags if match.re is kind] for kind in (VERSION_TAG, STAGE_TAG, DEPRECATION_TAG)
    )
    assignments = [Assignment(match["tier"], match["stage"], tag, bool(match["cancel"])) for match, tag in stages]
    deprecated = _deprecated([*versions, *stages], deprecations)
    by_version = defaultdict(list)
    for match, tag in versions:
        by_version[match["tier"], _version(match), tag.commit].append((match, tag))
    registered = sorted(filter(None, map(_release, by_version.values())), key=lambda each: (each.tier, each.version))
    return Registry(
        tuple(each for each in registered if each.tier not in deprecated and not _is_revoked(by_version[_key(each)])),
        tuple(registered),
        tuple(sorted(assignments, key=lambda each: (each.tag.time, each.revokes))),
        _newest(tags),
        frozenset(git.tag_names(root)),
        tuple(tag for _, tag in annotated if tag.is_renamed),
    )


_Tag = tuple[re.Match[str], tag_objects.AnnotatedTag]


def _parse(name: str) -> re.Match[str] | None:
    """The match of a tag's name in GTO's format; None for other tags."""
    return next((match for kind in (VERSION_TAG, STAGE_TAG, DEPRECATION_TAG) if (match := kind.fullmatch(name))), None)


def _key(release: Release) -> tuple[str, Version, str]:
    return release.tier, release.version, release.commit


def _release(events: Sequence[_Tag]) -> Release | None:
    """The release that tags of one version at one commit register; None if they only revoke it."""
    registrations = [(match, tag) for match, tag in events if not match["cancel"]]
    if not registrations:
        return None
    match, tag = registrations[0]  # by name: the one without a counter, which has the record
    first = min((tag.time, tag.name) for _, tag in events)
    return Release(match["tier"], _version(match), tag, (max(tag.time for _, tag in registrations), *first))


def _is_revoked(events: Iterable[_Tag]) -> bool:
    """Whether the last tag of a version at a commit revokes it."""
    return max((tag.time, bool(match["cancel"])) for match, tag in events)[1]


def _deprecated(tags: Iterable[_Tag], deprecations: Iterable[_Tag]) -> set[str]:
    """Tiers that were deprecated as a whole, and of which no tag is later; GTO counts their commits as events too."""
    active: dict[str, int] = {}
    for match, tag in tags:
        active[match["tier"]] = max(active.get(match["tier"], 0), tag.time, tag.commit_time)
    return {match["tier"] for match, tag in deprecations if tag.time > active.get(match["tier"], 0)}


def _newest(tags: Iterable[_Tag]) -> dict[str, int]:
    newest: dict[str, int] = {}
    for match, tag in tags:
        newest[match["tier"]] = max(newest.get(match["tier"], 0), tag.time)
    return newest


def _version(match: re.Match[str]) -> Version:
    return Version(int(match["major"]), int(match["minor"]), int(match["patch"]))
