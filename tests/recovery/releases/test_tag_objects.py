"""Tags are read completely, written as Git would, and created all or none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gogooku3.recovery.releases import git, tag_objects


def refs(repository: Path) -> dict[str, str]:
    lines = git.run(repository, "for-each-ref", "refs/tags", "--format=%(refname:strip=2) %(objectname)").splitlines()
    return dict(line.split() for line in lines)


def test_annotated_tags_are_read_completely_and_lightweight_ones_left_out(repository: Path) -> None:
    message = "Subject\n\n# not a comment\n  indented, \u4e2d\n\nrecord: {}\n"
    commit = git.commit_of(repository, "HEAD")
    made = int(git.run(repository, "log", "-1", "--format=%ct"))
    tag_objects.create_tags(
        repository, {"b": tag_objects.new_object(repository, "b", commit, message, later_than=made + 3600)}
    )
    tag_objects.create_tags(repository, {"a": f"object {commit}\ntype commit\ntag a\ntagger T <t@e> 7 +0900\n\nA\n"})
    git.run(repository, "tag", "light")
    assert tag_objects.annotated_tags(repository) == [
        tag_objects.AnnotatedTag("a", refs(repository)["a"], commit, "A\n", "a", "", 7, made),
        tag_objects.AnnotatedTag("b", refs(repository)["b"], commit, message, "b", "", made + 3601, made),
    ]


def test_a_tag_is_the_object_that_git_tag_would_make(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_COMMITTER_DATE", "1700000000 +0900")
    content = tag_objects.new_object(repository, "ours", git.commit_of(repository, "HEAD"), "Subject\n\nBody\n")
    tag_objects.create_tags(repository, {"ours": content})
    git.run(repository, "tag", "--annotate", "--file=-", "ours2", stdin="Subject\n\nBody\n")
    theirs = git.run(repository, "cat-file", "tag", "ours2")
    assert tag_objects.renamed(content, "ours2") == theirs


def test_if_one_tag_exists_none_is_made_and_it_is_not_moved(repository: Path) -> None:
    git.run(repository, "tag", "--annotate", "--message", "Old", "second")
    before = refs(repository)
    (repository / "more.txt").write_text("more\n")
    git.run(repository, "add", "--all")
    git.run(repository, "commit", "--quiet", "--message", "Second")
    commit = git.commit_of(repository, "HEAD")
    contents = {
        name: tag_objects.new_object(repository, name, commit, "New\n") for name in ("first", "second", "third")
    }
    with pytest.raises(git.GitError, match="second"):
        tag_objects.create_tags(repository, contents)
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
        tag_objects.new_object(repository, "a", git.commit_of(repository, "HEAD"), "A\n")
    assert "user.name" in error.value.hint
