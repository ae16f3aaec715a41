"""The wrapper of Git's command line: reads and errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from gogooku3.recovery.releases import git


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
    assert (
        git.commit_of(repository, "v1")
        == git.commit_of(repository, "HEAD")
        != git.run(repository, "rev-parse", "v1").strip()
    )


def test_a_clone_shares_no_file_with_its_source(repository: Path, tmp_path: Path) -> None:
    """Damage of one would be in both, and Git does not link files on an overlay file system, as in a container."""
    git.clone(str(repository), tmp_path / "clone")
    objects = [path for path in (tmp_path / "clone/.git/objects").rglob("*") if path.is_file()]
    assert objects
    assert {path.stat().st_nlink for path in objects} == {1}


def test_worktrees_share_the_folder_of_their_repository(repository: Path, tmp_path: Path) -> None:
    git.run(repository, "worktree", "add", "--quiet", "--detach", str(tmp_path / "tree"))
    assert git.common_folder(tmp_path / "tree").samefile(git.common_folder(repository))
    assert git.common_folder(repository) == repository / ".git"
