"""The wrapper of Git's command line: reads, errors, and tags that are created atomically."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gogooku3.recovery.releases import git


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """One commit with `notes/ein Ü.txt`."""
    git.run(tmp_path, "init", "--quiet", "--initial-branch=main")
    git.run(tmp_path, "config", "user.name", "Test")
    git.run(tmp_path, "config", "user.email", "test@example.com")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/ein Ü.txt").write_text("first\n", encoding="utf-8")
    git.run(tmp_path, "add", "--all")
    git.run(tmp_path, "commit", "--quiet", "--message", "First")
    return tmp_path


def refs(repository: Path) -> dict[str, str]:
    lines = git.run(repository, "for-each-ref", "refs/tags", "--format=%(refname:strip=2) %(objectname)").splitlines()
    return dict(line.split() for line in lines)


def test_a_file_is_read_at_a_revision_not_from_the_working_tree(repository: Path) -> None:
    (repository / "notes/ein Ü.txt").write_text("second\n", encoding="utf-8")
    assert git.show(repository, "HEAD", "notes/ein Ü.txt") == "first\n"
    assert git.show(repository / "notes", "HEAD", "ein Ü.txt") == "first\n"


def test_a_file_that_a_revision_lacks_is_none(repository: Path) -> None:
    (repository / "later.txt").write_text("later\n")
    assert git.show(repository, "HEAD", "later.txt") is None


def test_changes_are_those_of_tracked_and_of_unknown_files(repository: Path) -> None:
    assert git.changes(repository) == []
    (repository / "notes/new.txt").write_text("new\n")
    (repository / "notes/ein Ü.txt").write_text("second\n", encoding="utf-8")
    assert git.changes(repository) == [' M "notes/ein Ü.txt"', "?? notes/new.txt"]


def test_the_root_is_found_from_any_folder_in_it(repository: Path) -> None:
    assert git.toplevel(repository / "notes") == repository.resolve()


def test_a_bare_repository_in_the_tree_is_not_used(repository: Path) -> None:
    """A commit can contain one, with settings that name programs and another working tree."""
    git.run(repository, "init", "--quiet", "--bare", "models")
    git.run(repository, "--git-dir=models", "config", "core.bare", "false")
    git.run(repository, "--git-dir=models", "config", "core.worktree", ".")
    (repository / "models/package").mkdir()
    with pytest.raises(git.GitError, match="bare"):
        git.toplevel(repository / "models/package")


def test_outside_a_repository_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(git.GitError, match="is not in a Git working tree") as error:
        git.toplevel(tmp_path)
    assert "git clone" in error.value.hint


@pytest.mark.parametrize("name", ["absent", "--all", "HEAD:notes", ""])
def test_an_unknown_commit_is_refused(repository: Path, name: str) -> None:
    with pytest.raises(git.GitError, match=f"`{name}` is not a commit here"):
        git.commit_of(repository, name)


def test_a_tag_names_its_commit_not_its_own_object(repository: Path) -> None:
    git.run(repository, "tag", "--annotate", "--message", "A tag", "v1")
    assert git.commit_of(repository, "v1") == git.commit_of(repository, "HEAD") != refs(repository)["v1"]


def test_annotated_tags_are_read_completely_and_lightweight_ones_left_out(repository: Path) -> None:
    message = "Subject\n\n# not a comment\n  indented, \u4e2d\n\nrecord: {}\n"
    commit = git.commit_of(repository, "HEAD")
    made = int(git.run(repository, "log", "-1", "--format=%ct"))
    git.create_tags(repository, {"b": git.tag_object(repository, "b", commit, message, later_than=made + 3600)})
    git.create_tags(repository, {"a": f"object {commit}\ntype commit\ntag a\ntagger T <t@e> 7 +0900\n\nA\n"})
    git.run(repository, "tag", "light")
    assert git.annotated_tags(repository) == [
        git.AnnotatedTag("a", refs(repository)["a"], commit, "A\n", "a", "", 7, made),
        git.AnnotatedTag("b", refs(repository)["b"], commit, message, "b", "", made + 3601, made),
    ]


def test_a_tag_is_the_object_that_git_tag_would_make(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_COMMITTER_DATE", "1700000000 +0900")
    content = git.tag_object(repository, "ours", git.commit_of(repository, "HEAD"), "Subject\n\nBody\n")
    git.create_tags(repository, {"ours": content})
    git.run(repository, "tag", "--annotate", "--file=-", "ours2", stdin="Subject\n\nBody\n")
    theirs = git.run(repository, "cat-file", "tag", "ours2")
    assert git.renamed(content, "ours2") == theirs


def test_if_one_tag_exists_none_is_made_and_it_is_not_moved(repository: Path) -> None:
    git.run(repository, "tag", "--annotate", "--message", "Old", "second")
    before = refs(repository)
    (repository / "more.txt").write_text("more\n")
    git.run(repository, "add", "--all")
    git.run(repository, "commit", "--quiet", "--message", "Second")
    commit = git.commit_of(repository, "HEAD")
    contents = {name: git.tag_object(repository, name, commit, "New\n") for name in ("first", "second", "third")}
    with pytest.raises(git.GitError, match="second"):
        git.create_tags(repository, contents)
    assert refs(repository) == before


def test_a_truncated_transaction_makes_nothing(repository: Path) -> None:
    """The input that Git gets if its caller dies before the last line."""
    commit = git.commit_of(repository, "HEAD")
    given = f"start\ncreate refs/tags/a {commit}\nprepare\n"
    subprocess.run(["git", "update-ref", "--stdin"], cwd=repository, input=given, text=True, check=False)
    assert refs(repository) == {}
    assert list((repository / ".git/refs/tags").iterdir()) == []


def test_a_missing_committer_is_an_error(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("user.name", "user.email"):
        git.run(repository, "config", "--unset", name)
    git.run(repository, "config", "user.useConfigOnly", "true")
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, "/dev/null")
    for name in ("GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "EMAIL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(git.GitError, match="has no name and address for the tag") as error:
        git.tag_object(repository, "a", git.commit_of(repository, "HEAD"), "A\n")
    assert "user.name" in error.value.hint
