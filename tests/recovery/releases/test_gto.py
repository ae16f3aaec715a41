"""Which version is the best: gogooku3, GTO and `dvc artifacts get` give one answer, whatever the clocks showed."""

from __future__ import annotations

import random
from pathlib import Path

import gto.api
import pytest
from dvc.repo import Repo
from gto.exceptions import GTOException

from gogooku3.errors import DataError
from gogooku3.recovery.releases import git, tag_objects, tags

NOW = 1_700_000_000


class Registry:
    """A repository whose tags real GTO makes, each dated by a clock that is wrong."""

    def __init__(self, root: Path, seed: int, spread: int) -> None:
        self.root, self.random, self.spread = root, random.Random(seed), spread
        git.run(root, "init", "--quiet")
        git.run(root, "config", "user.name", "Test")
        git.run(root, "config", "user.email", "test@example.com")
        (root / "dvc.yaml").write_text("stages: {}\n")
        git.run(root, "add", "--all")
        for number in range(4):
            git.run(root, "commit", "--quiet", "--allow-empty", "--message", f"{number}")
            self.date_commit()
        self.commits = git.run(root, "rev-list", "HEAD").split()

    def date_commit(self) -> None:
        text = git.run(self.root, "cat-file", "commit", "HEAD")
        lines = [
            line if not line.startswith("committer") else f"{line.rsplit(' ', 2)[0]} {self.time()} +0000"
            for line in text.splitlines()
        ]
        commit = git.run(self.root, "hash-object", "-t", "commit", "-w", "--stdin", stdin="\n".join(lines) + "\n")
        git.run(self.root, "reset", "--quiet", "--soft", commit.strip())

    def time(self) -> int:
        return NOW + self.random.randrange(self.spread)

    def operate(self) -> str:
        """One random operation of a user; GTO refuses those that it does not allow."""
        before = set(git.tag_names(self.root))
        root, commit = str(self.root), self.random.choice(self.commits)
        version = f"v{self.random.randrange(1, 3)}.{self.random.randrange(2)}.0"
        stage = self.random.choice(["best", "best", "best", "production"])
        simple, force = self.random.choice([True, False]), self.random.random() < 0.4
        operation = self.random.choices(
            ["register", "assign", "unassign", "deregister", "deprecate", "delete", "skip"], [5, 8, 3, 2, 1, 2, 1]
        )[0]
        try:
            if operation == "register":
                gto.api.register(root, "tier1", commit, version=version, simple=simple, force=force)
            elif operation == "assign":
                gto.api.assign(root, "tier1", stage, ref=commit, simple=simple, force=force)
            elif operation == "skip":
                gto.api.assign(root, "tier1", stage, ref=commit, simple=simple, force=force, skip_registration=True)
            elif operation == "unassign":
                gto.api.unassign(root, "tier1", ref=commit, stage=stage, simple=simple, force=force)
            elif operation == "deregister":
                gto.api.deregister(root, "tier1", ref=commit, simple=simple, force=force)
            elif operation == "deprecate":
                gto.api.deprecate(root, "tier1", simple=simple)
            elif before:
                git.run(self.root, "tag", "--delete", self.random.choice(sorted(before)))
        except GTOException as error:
            return f"{operation} is refused: {error}"
        for name in set(git.tag_names(self.root)) - before:
            self.date(name)
        return f"{operation} {sorted(set(git.tag_names(self.root)) ^ before)}"

    def date(self, name: str) -> None:
        tag = next(each for each in tag_objects.annotated_tags(self.root) if each.name == name)
        git.run(self.root, "tag", "--delete", name)
        content = f"object {tag.commit}\ntype commit\ntag {name}\ntagger T <t@e> {self.time()} +0900\n\n{tag.message}"
        tag_objects.create_tags(self.root, {name: content})

    def state(self) -> str:
        return "\n".join(
            f"{each.time - NOW} {each.name} {each.commit[:6]}" for each in tag_objects.annotated_tags(self.root)
        )


def best_by_gto(root: Path, name: str = "tier1") -> tuple[str, str] | None:
    """Version and commit that `gto show --registered-only tier1#best` shows."""
    try:
        found = gto.api.show(str(root), f"{name}#best", registered_only=True)
    except gto.exceptions.ArtifactNotFound:
        return None
    return (found[0]["version"], found[0]["commit_hexsha"]) if found else None


def best(root: Path) -> tuple[str, str] | None:
    release = tags.read(root).best("tier1")
    return None if release is None else (str(release.version), release.commit)


@pytest.mark.parametrize("spread", [3, 10_000], ids=["often the same second", "skewed clocks"])
@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 10))])
def test_after_every_operation_gto_shows_the_same_best(tmp_path: Path, seed: int, spread: int) -> None:
    registry = Registry(tmp_path, seed, spread)
    history = []
    for _ in range(20):
        history.append(registry.operate())
        assert best(tmp_path) == best_by_gto(tmp_path), "\n".join([*history, registry.state()])


def test_dvc_gets_the_same_best_unless_the_last_mark_was_revoked(tmp_path: Path) -> None:
    """`dvc artifacts get --stage best` reads the newest tag of the stage, also one that revokes it."""
    registry = Registry(tmp_path, 1, 10_000)
    Repo.init(str(tmp_path)).close()
    first, second = registry.commits[:2]

    def tag(time: int, commit: str, name: str) -> None:
        content = f"object {commit}\ntype commit\ntag {name}\ntagger T <t@e> {time} +0000\n\n{name}\n"
        tag_objects.create_tags(tmp_path, {name: content})

    def by_dvc() -> str:
        with Repo(str(tmp_path)) as repo:
            return str(repo.artifacts.get_rev("tier1", stage="best"))

    tag(10, first, "tier1@v1.0.0")
    tag(20, second, "tier1@v1.1.0")
    tag(40, first, "tier1#best#1")
    tag(30, second, "tier1#best#2")  # by a clock that is behind: its number is greater, its time earlier
    assert best(tmp_path) == best_by_gto(tmp_path) == ("v1.0.0", first)
    assert by_dvc() == tags.read(tmp_path).best_for_dvc("tier1") == first
    tag(50, first, "tier1#best!#3")
    assert best(tmp_path) == best_by_gto(tmp_path) == ("v1.1.0", second)
    assert by_dvc() == tags.read(tmp_path).best_for_dvc("tier1") == first
    tag(60, second, "tier1#best#4")
    assert by_dvc() == tags.read(tmp_path).best_for_dvc("tier1") == second
    with Repo(str(tmp_path)) as repo:
        assert repo.artifacts.get_rev("tier1", version="v1.0.0") == tags.read(tmp_path).find("tier1@v1.0.0").commit


def test_a_tier_that_was_deprecated_is_active_again_after_a_later_tag_not_after_a_commit(tmp_path: Path) -> None:
    registry = Registry(tmp_path, 1, 10)
    Repo.init(str(tmp_path)).close()
    gto.api.assign(str(tmp_path), "tier1", "best", ref=registry.commits[0])
    gto.api.deprecate(str(tmp_path), "tier1")
    registry.date("tier1@v0.0.1")
    registry.date("tier1#best#1")
    (tmp_path / "dvc.yaml").write_text("artifacts: {tier1: {path: params.yaml}}\n")
    git.run(tmp_path, "add", "--all")
    git.run(tmp_path, "commit", "--quiet", "--message", "Declared")
    assert best(tmp_path) is best_by_gto(tmp_path) is None
    with pytest.raises(DataError, match=r"`tier1@v0\.0\.1` was revoked") as error:
        tags.find(tmp_path, "tier1")
    assert "git checkout tier1@v0.0.1" in error.value.hint
    gto.api.register(str(tmp_path), "tier1", "HEAD", version="v0.1.0")
    assert best(tmp_path) == best_by_gto(tmp_path) == ("v0.0.1", registry.commits[0])
