"""Verbs that run a repository's code ask before they run that of another repository than the current one."""

from __future__ import annotations

import os
import pty
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from gogooku3 import source
from gogooku3.recovery.releases import git

VERBS = pytest.mark.parametrize("verb", [("reproduce", "demo@v1.0.0"), ("drill", "demo@v1.0.0")], ids=lambda v: v[0])
NO_RELEASE = 3
"""Exit code after the question: the repositories have no release."""


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    """Standard error; on a terminal with the echo of the answer."""


@dataclass(frozen=True)
class Repositories:
    """A current repository, another one, and an empty folder for temporary files."""

    own: Path
    other: Path
    temporary: Path

    def _start(self, arguments: tuple[str, ...], **streams: int) -> subprocess.Popen[bytes]:
        variables = os.environ | {"TMPDIR": str(self.temporary)}
        return subprocess.Popen(
            [*source.command("cli"), *arguments], cwd=self.own, env=variables, stdout=subprocess.DEVNULL, **streams
        )

    def run(self, *arguments: str) -> Done:
        """Without a terminal."""
        process = self._start(arguments, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        _, err = process.communicate()
        return Done(process.returncode, err.decode())

    def ask(self, *arguments: str, answer: bytes) -> Done:
        """On a terminal, with an answer that is typed ahead."""
        ours, theirs = pty.openpty()
        os.write(ours, answer)
        process = self._start(arguments, stdin=theirs, stderr=theirs)
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # Linux reports the end of a terminal as an error
                break
            if not part:
                break
            shown += part
        os.close(ours)
        return Done(process.wait(), shown.decode())


@pytest.fixture
def repositories(tmp_path: Path) -> Repositories:
    for name in ("own", "other", "temporary"):
        (tmp_path / name).mkdir()
    for name in ("own", "other"):
        git.run(tmp_path / name, "init", "--quiet")
        identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
        git.run(tmp_path / name, *identity, "commit", "--quiet", "--allow-empty", "--message", "No release")
    return Repositories(tmp_path / "own", tmp_path / "other", tmp_path / "temporary")


@VERBS
def test_without_a_terminal_another_repository_is_refused_before_it_is_cloned(
    repositories: Repositories, verb: tuple[str, ...]
) -> None:
    done = repositories.run(*verb, "--from", f"file://me:secret@{repositories.other}")
    assert done.code == 1, done.out
    assert done.out.startswith(f"error: `gogooku3 {verb[0]}` runs code of file://{repositories.other} with your")
    assert f"hint: if you trust file://{repositories.other}, add `--yes`; `gogooku3 recover` gets" in done.out
    assert "secret" not in done.out
    assert list(repositories.temporary.iterdir()) == []


@VERBS
def test_yes_answers_and_the_warning_stays(repositories: Repositories, verb: tuple[str, ...]) -> None:
    done = repositories.run(*verb, "--from", str(repositories.other), "--yes")
    assert done.code == NO_RELEASE, done.out
    assert done.out.startswith(f"`gogooku3 {verb[0]}` runs code of {repositories.other} with your permissions: ")


@pytest.mark.parametrize("path", [None, ".", "../own"])
def test_the_current_repository_needs_no_answer(repositories: Repositories, path: str | None) -> None:
    done = repositories.run("reproduce", "demo", *(() if path is None else ("--from", path)))
    assert done.code == NO_RELEASE, done.out
    assert "runs code of" not in done.out


def test_a_folder_in_the_repository_is_another_repository(repositories: Repositories) -> None:
    """Its own Git settings may say that the working tree is the current one."""
    theirs = repositories.own / "theirs"
    repositories.other.rename(theirs)
    git.run(theirs, "config", "core.worktree", str(repositories.own))
    done = repositories.run("reproduce", "demo", "--from", "theirs")
    assert (done.code, "runs code of theirs" in done.out) == (1, True), done.out


@pytest.mark.parametrize(
    ("answer", "code"), [(b"y\n", NO_RELEASE), (b"n\n", 1), (b"\n", 1), (b"what?\nyes\n", NO_RELEASE)]
)
def test_on_a_terminal_it_asks_and_takes_silence_for_no(repositories: Repositories, answer: bytes, code: int) -> None:
    done = repositories.ask("reproduce", "demo", "--from", str(repositories.other), answer=answer)
    assert done.code == code, done.out
    assert "Do you trust it? [y/N]" in done.out
    assert (f"error: nothing of {repositories.other} was run" in done.out) is (code == 1)
    assert list(repositories.temporary.iterdir()) == []


def test_the_end_of_the_input_is_no_answer(repositories: Repositories) -> None:
    done = repositories.ask("reproduce", "demo", "--from", str(repositories.other), answer=b"\x04")
    assert done.code == 1, done.out
    assert "Traceback" not in done.out
