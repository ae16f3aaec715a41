"""Tags have GTO's format, and releases and stages are read from them as GTO does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from gto.constants import check_string_is_valid
from gto.tag import Action, parse_name
from hypothesis import given
from hypothesis import strategies as st

from gogooku3.errors import ConfigError, DataError
from gogooku3.recovery.releases import git, tag_objects, tags
from gogooku3.recovery.releases.tags import STAGE_TAG, TIER, VERSION_TAG, Version

PIECES = ["tier1", "demo", "a/b", "a-b", "-", "/", "_", "@", "#", "!", ".", "v", "v1.0.0", "v01.2.3", "0", "12", "best"]
NAMES = st.lists(st.sampled_from(PIECES), min_size=1, max_size=7).map("".join)


@given(NAMES)
def test_a_version_tag_is_one_for_gto_too(name: str) -> None:
    theirs, ours = parse_name(name, raise_on_fail=False), VERSION_TAG.fullmatch(name)
    # GTO also knows pre-releases, and names with a folder.
    plain = re.fullmatch(r"v[0-9]+\.[0-9]+\.[0-9]+", theirs.get("version", "")) is not None
    assert (ours is not None) == plain
    if ours is not None:
        assert theirs["name"] == ours["tier"]
        assert theirs["version"] == str(Version(*(int(ours[part]) for part in ("major", "minor", "patch"))))
        assert (theirs["action"] is Action.DEREGISTER) == bool(ours["cancel"])
        assert theirs.get("counter") == (int(ours["counter"]) if ours["counter"] else None)


@given(NAMES)
def test_a_stage_tag_is_one_for_gto_too(name: str) -> None:
    theirs, ours = parse_name(name, raise_on_fail=False), STAGE_TAG.fullmatch(name)
    assert (ours is not None) == ("stage" in theirs)
    if ours is not None:
        assert (theirs["name"], theirs["stage"]) == (ours["tier"], ours["stage"])
        assert (theirs["action"] is Action.UNASSIGN) == bool(ours["cancel"])
        assert theirs.get("counter") == (int(ours["counter"]) if ours["counter"] else None)


@given(NAMES)
def test_a_tier_is_a_valid_name_for_gto_too(name: str) -> None:
    assert (TIER.fullmatch(name) is not None) == check_string_is_valid(name)


@pytest.mark.parametrize(
    ("name", "marks"),
    [
        ("tier1#best#2", True),
        ("tier1#best", True),
        ("tier2#best#2", False),
        ("tier1#prod#2", False),
        ("tier1#best!#2", False),
        ("tier1@v1.0.0", False),
        ("tier1#best#2\n", False),
    ],
)
def test_only_a_tag_that_assigns_best_marks_the_best(name: str, marks: bool) -> None:
    assert tags.marks_best(name, "tier1") is marks


@pytest.mark.parametrize("text", ["1.0.0", "v1", "v1.0", "v1.0.0.0", "v01.0.0", "v1.0.0-rc1", "v-1.0.0", " v1.0.0", ""])
def test_an_invalid_version_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a version"):
        Version.parse(text)


def test_versions_order_by_number_and_the_next_is_the_next_minor() -> None:
    assert Version.parse("v1.10.0") > Version.parse("v1.9.3")
    assert str(Version.parse("v1.9.3").next_minor()) == "v1.10.0"


class History:
    """Commits and annotated tags, made by name, each a second later than the one before."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = 2_000_000_000  # later than the commits
        git.run(root, "init", "--quiet")
        git.run(root, "config", "user.name", "Test")
        git.run(root, "config", "user.email", "test@example.com")

    def add(self, *names: str) -> str:
        git.run(self.root, "commit", "--quiet", "--allow-empty", "--message", "A commit")
        self.tag("HEAD", *names)
        return git.commit_of(self.root, "HEAD")

    def tag(self, commit: str, *names: str) -> None:
        for name in names:
            self.clock += 1
            self.tag_at(self.clock, commit, name)

    def tag_at(self, time: int, commit: str, name: str) -> None:
        """Makes a tag by a clock that shows another time."""
        commit = git.commit_of(self.root, commit)
        content = f"object {commit}\ntype commit\ntag {name}\ntagger Test <test@example.com> {time} +0000\n\n{name}\n"
        tag_objects.create_tags(self.root, {name: content})

    def best(self) -> str | None:
        best = tags.read(self.root).best("tier1")
        return best and str(best.version)


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


def test_without_tags_the_first_version_and_the_first_stage_are_next(history: History) -> None:
    history.add()
    registry = tags.read(history.root)
    assert registry.releases == ()
    assert registry.best("tier1") is None
    assert str(registry.next_version("tier1")) == "v1.0.0"
    assert registry.next_stage_tag("tier1") == "tier1#best#1"


def test_the_next_version_follows_the_greatest_not_the_last(history: History) -> None:
    history.add("tier1@v1.10.0")
    history.add("tier1@v1.9.0", "tier2@v7.0.0", "tier1-small@v8.0.0", "other")
    registry = tags.read(history.root)
    assert [str(release.version) for release in registry.of("tier1")] == ["v1.9.0", "v1.10.0"]
    assert str(registry.next_version("tier1")) == "v1.11.0"


def test_the_last_stage_tag_counts(history: History) -> None:
    first = history.add("tier1@v1.0.0", "tier1#best#9")
    history.add("tier1@v1.1.0", "tier1#best#10", "tier2#best#99")
    assert history.best() == "v1.1.0"
    assert tags.read(history.root).next_stage_tag("tier1") == "tier1#best#11"
    history.tag(first, "tier1#best#11")
    assert history.best() == "v1.0.0"


def test_after_a_revoked_stage_tag_the_one_before_counts(history: History) -> None:
    history.add("tier1@v1.0.0", "tier1#best#1")
    second = history.add("tier1@v1.1.0", "tier1#best#2", "tier1#best!#3")
    assert history.best() == "v1.0.0"
    history.tag(second, "tier1#best#4")
    assert history.best() == "v1.1.0"


def test_another_stage_is_not_best(history: History) -> None:
    history.add("tier1@v1.0.0", "tier1#production#1")
    assert history.best() is None
    assert tags.read(history.root).next_stage_tag("tier1") == "tier1#best#2"


def test_a_revoked_version_is_not_a_release_and_its_name_is_not_reused(history: History) -> None:
    history.add("tier1@v1.0.0", "tier1#best#1", "tier1@v1.0.0!#2")
    registry = tags.read(history.root)
    assert (registry.releases, registry.best("tier1")) == ((), None)
    assert "tier1@v1.0.0" in registry.names
    assert str(registry.next_version("tier1")) == "v1.1.0"


def test_a_lightweight_tag_is_ignored_and_its_name_is_not_reused(history: History) -> None:
    history.add("tier1@v1.0.0")
    for name in ("tier1@v1.1.0", "tier1#best#4"):
        git.run(history.root, "tag", name)
    registry = tags.read(history.root)
    assert [str(release.version) for release in registry.of("tier1")] == ["v1.0.0"]
    assert registry.best("tier1") is None
    assert str(registry.next_version("tier1")) == "v1.2.0"
    assert registry.next_stage_tag("tier1") == "tier1#best#5"


def test_a_revoked_release_is_not_found_and_the_error_says_so(history: History) -> None:
    history.add("tier1@v1.0.0", "tier1#best#1", "tier2@v1.0.0")
    history.add("tier1@v1.1.0", "tier1@v1.1.0!#2", "tier2@deprecated#1", "tier1@deprecated#3", "tier1#best#4")
    registry = tags.read(history.root)
    assert [release.tag.name for release in registry.releases] == ["tier1@v1.0.0"], "tier1 has a later tag"
    for name, revoked in (
        ("tier1@v1.1.0", "tier1@v1.1.0"),
        ("tier2", "tier2@v1.0.0"),
        ("tier2@v1.0.0", "tier2@v1.0.0"),
    ):
        with pytest.raises(DataError, match=f"^`{revoked}` was revoked with `gto deprecate`") as error:
            registry.find(name)
        assert f"git checkout {revoked}" in error.value.hint
    with pytest.raises(DataError, match=r"`tier1@v7\.0\.0` was never released"):
        registry.find("tier1@v7.0.0")


def test_a_version_that_is_registered_again_after_it_was_revoked_is_a_release(history: History) -> None:
    commit = history.add("tier1@v1.0.0", "tier1#best#1", "tier1@v1.0.0!")
    assert history.best() is None
    history.tag(commit, "tier1@v1.0.0#2")
    (release,) = tags.read(history.root).releases
    assert release.tag.name == "tier1@v1.0.0", "the first tag has the record"
    assert history.best() == "v1.0.0"


def test_a_number_of_thousands_of_digits_is_not_a_version_and_hides_no_other(history: History) -> None:
    history.add("tier1@v1.0.0", "tier1#best#1", f"tier1@v1.0.{'9' * 200}", f"tier1#best#{'9' * 200}")
    assert VERSION_TAG.fullmatch(f"tier1@v1.0.{'9' * 5000}") is None
    assert history.best() == "v1.0.0"
    assert [str(release.version) for release in tags.read(history.root).releases] == ["v1.0.0"]
