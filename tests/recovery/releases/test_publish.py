"""Tags are published in one atomic push: on the remote and in the clone, or in neither, whatever happens."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gogooku3.errors import GitError, RefusedError
from gogooku3.recovery.releases import git, publish, tag_objects

VERSION, STAGE = "tier1@v1.0.0", "tier1#best#1"
BOTH = {VERSION, STAGE}
SOURCE = Path(__file__).parents[3] / "src"


def run(repository: Path, *arguments: str, stdin: str | None = None) -> str:
    """Runs Git in a clone or in the bare repository of the server."""
    return git.run(repository, *arguments, stdin=stdin, settings={"safe.bareRepository": "all"})


def objects(repository: Path) -> dict[str, str]:
    """The hashes of a repository's tags by name."""
    form = "--format=%(refname:strip=2) %(objectname)"
    return dict(line.split() for line in run(repository, "for-each-ref", "refs/tags", form).splitlines())


def commit(repository: Path) -> None:
    run(repository, "commit", "--quiet", "--allow-empty", "--message", f"In {repository.name}")


def contents(repository: Path, *names: str) -> dict[str, str]:
    """Objects of new tags at the clone's commit."""
    head = git.commit_of(repository, "HEAD")
    return {name: tag_objects.new_object(repository, name, head, f"{name}\n") for name in names or (VERSION, STAGE)}


def make(repository: Path) -> None:
    publish.publish(repository, "origin", contents(repository))


def hook(repository: Path, name: str, script: str) -> None:
    folder = repository if repository.suffix == ".git" else repository / ".git"
    (folder / "hooks").mkdir(exist_ok=True)
    (folder / "hooks" / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / "hooks" / name).chmod(0o755)


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """A bare repository with one commit; both clones have it as `origin`."""
    path = tmp_path / "server.git"
    run(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(path))
    return path


def clone_of(server: Path, name: str) -> Path:
    clone = server.parent / name
    run(server.parent, "clone", "--quiet", str(server), str(clone))
    run(clone, "config", "user.name", "Test")
    run(clone, "config", "user.email", "test@example.com")
    commit(clone)
    return clone


@pytest.fixture
def clone(server: Path) -> Path:
    made = clone_of(server, "clone")
    run(made, "push", "--quiet", "origin", "main")
    return made


@pytest.fixture
def rival(server: Path, clone: Path) -> Path:
    """A colleague's clone with a commit of its own."""
    return clone_of(server, "rival")


def test_both_tags_and_their_commit_are_published(clone: Path, server: Path) -> None:
    commit(clone)
    make(clone)
    assert set(objects(server)) == BOTH
    assert objects(server) == objects(clone)
    assert run(server, "rev-parse", f"{VERSION}^{{commit}}").strip() == git.commit_of(clone, "HEAD")
    assert run(server, "fsck", "--strict", "--no-dangling") == ""


@pytest.mark.parametrize("names", [(VERSION,), (STAGE,), (VERSION, STAGE)])
def test_who_is_slower_changes_nothing(clone: Path, rival: Path, server: Path, names: tuple[str, ...]) -> None:
    publish.publish(rival, "origin", contents(rival, *names))
    with pytest.raises(RefusedError, match=f"^`{'`, `'.join(names)}` was published on `origin` in the meantime"):
        make(clone)
    assert objects(clone) == {}
    assert objects(server) == objects(rival)
    assert set(objects(server)) == set(names)


def test_who_is_faster_by_a_moment_wins(clone: Path, rival: Path, server: Path) -> None:
    """The rival pushes after the clone's push saw that the names are free."""
    tag_objects.create_tags(rival, contents(rival))
    command = publish.command(rival, [VERSION, STAGE])
    hook(clone, "pre-push", f"unset $(git rev-parse --local-env-vars); cd {rival} && {command}")
    with pytest.raises(RefusedError, match="was published on `origin` in the meantime"):
        make(clone)
    assert objects(clone) == {}
    assert objects(server) == objects(rival)


REFUSALS: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "pre-receive": (lambda _, server: hook(server, "pre-receive", "echo not on Fridays >&2; exit 1"), "not on Fridays"),
    "update": (
        lambda _, server: hook(server, "update", 'case "$1" in *best*) echo not the best >&2; exit 1;; esac'),
        "not the best",
    ),
    "reference-transaction": (lambda _, server: hook(server, "reference-transaction", "exit 1"), "does not take"),
    "pre-push": (
        lambda clone, _: hook(clone, "pre-push", "echo not from here >&2; exit 1"),
        "not from here",
    ),
    "no atomic push": (
        lambda _, server: run(server, "config", "receive.advertiseAtomic", "false"),
        "does not support --atomic",
    ),
    "hidden references": (lambda _, server: run(server, "config", "receive.hideRefs", "refs/tags"), "hidden ref"),
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_remote_that_refuses_gets_no_tag_and_neither_does_the_clone(clone: Path, server: Path, kind: str) -> None:
    prepare, says = REFUSALS[kind]
    prepare(clone, server)
    with pytest.raises(GitError, match=says) as failed:
        make(clone)
    assert failed.value.exit_code == 8
    assert "no tag was made, here or there" in failed.value.hint
    assert "\n" not in failed.value.message
    assert objects(clone) == objects(server) == {}


def test_a_remote_that_is_lost_makes_no_tag(clone: Path, server: Path) -> None:
    server.rename(server.parent / "moved.git")
    with pytest.raises(GitError, match="whether they arrived is unknown") as failed:
        make(clone)
    assert "the same command" in failed.value.hint
    assert objects(clone) == {}


@pytest.mark.parametrize("moment", ["post-receive", "post-update"])
def test_a_connection_that_ends_after_the_remote_took_the_tags_is_a_success(
    clone: Path, server: Path, moment: str
) -> None:
    hook(server, moment, "kill -9 $PPID")
    make(clone)
    assert set(objects(clone)) == BOTH
    assert objects(server) == objects(clone)


def test_if_the_local_tags_cannot_be_made_the_error_names_how_they_are_fetched(clone: Path, server: Path) -> None:
    hook(clone, "reference-transaction", '[ "$1" = prepared ] && exit 1; exit 0')
    with pytest.raises(GitError, match="are published on `origin`, and cannot be made here") as failed:
        make(clone)
    (clone / ".git/hooks/reference-transaction").unlink()
    command = re.match(r"`(.*?)`", failed.value.hint)
    assert command is not None
    subprocess.run(command[1], shell=True, cwd=clone, check=True)
    assert objects(clone) == objects(server)
    assert set(objects(server)) == BOTH


PUBLISH = """
import sys
from pathlib import Path
from gogooku3.recovery.releases import git, publish, tag_objects
root = Path()
publish.fetch_tags(root, "origin")
if "tier1@v1.0.0" not in git.tag_names(root):
    head = git.commit_of(root, "HEAD")
    print("ready", flush=True)
    sys.stdin.readline()
    names = ("tier1@v1.0.0", "tier1#best#1")
    publish.publish(root, "origin", {name: tag_objects.new_object(root, name, head, name + "\\n") for name in names})
"""
KILLED_AT = {
    # the repository and the hook in which the process is killed, and whether the remote then has the tags
    "before the push": ("clone", "pre-push", False),
    "before the remote takes them": ("server", "pre-receive", True),
    "after the remote took them": ("server", "post-receive", True),
    "while the local tags are made": ("clone", "reference-transaction", True),
}


@pytest.mark.parametrize("moment", KILLED_AT)
def test_killed_while_it_publishes_the_next_run_completes(clone: Path, server: Path, moment: str) -> None:
    where, name, arrives = KILLED_AT[moment]
    at = '[ "$1" = prepared ] || exit 0; ' if name == "reference-transaction" else ""
    end = "exit 0" if arrives else "exit 1"  # a push depends on no caller, and would go on
    place = clone if where == "clone" else server
    hook(place, name, f"{at}kill -9 $(cat {clone / '.git/victim'}); {end}")
    command = [sys.executable, "-c", PUBLISH]
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    with subprocess.Popen(
        command, cwd=clone, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        (clone / ".git/victim").write_text(str(process.pid))
        assert process.stdout.readline() == "ready\n"
        process.stdin.write("\n")
        process.stdin.close()
        assert process.wait() == -signal.SIGKILL
    (place / (".git/hooks" if where == "clone" else "hooks") / name).unlink()
    deadline = time.monotonic() + 120
    while (set(objects(server)) == BOTH) != arrives and time.monotonic() < deadline:
        time.sleep(0.05)
    assert set(objects(server)) == (BOTH if arrives else set())
    subprocess.run(command, cwd=clone, env=environment, input="\n", text=True, check=True, stdout=subprocess.DEVNULL)
    assert objects(clone) == objects(server)
    assert set(objects(server)) == BOTH


def unreachable(kind: str, clone: Path, server: Path, silent: int) -> None:
    if kind == "gone":
        server.rename(server.parent / "moved.git")
        return
    port = silent if kind == "silent" else 9
    run(clone, "remote", "set-url", "origin", f"http://user:secret@127.0.0.1:{port}/server.git")


@pytest.mark.parametrize("kind", ["gone", "no connection", "silent"])
def test_an_unreachable_remote_is_an_error_in_time(
    clone: Path, server: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "STALL_TIMEOUT", 1)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        unreachable(kind, clone, server, listener.getsockname()[1])
        with pytest.raises(GitError, match="the tags of the Git remote `origin` cannot be read") as failed:
            publish.fetch_tags(clone, "origin")
    assert "secret" not in failed.value.message
    assert "git ls-remote origin" in failed.value.hint
    assert "--no-push" in failed.value.hint


def test_missing_release_tags_are_fetched_and_nothing_else(clone: Path, rival: Path, server: Path) -> None:
    names = (VERSION, STAGE, "tier1@deprecated", "a/b@v1.0.0!#7", "nightly")
    publish.push_tags(rival, "origin", tag_objects.write(rival, contents(rival, *names)))
    assert publish.fetch_tags(clone, "origin") == BOTH | {"tier1@deprecated", "a/b@v1.0.0!#7"}
    assert set(objects(clone)) == BOTH | {"tier1@deprecated", "a/b@v1.0.0!#7"}
    assert not (clone / ".git/FETCH_HEAD").exists()


def test_a_local_tag_that_differs_from_the_published_one_is_refused_and_kept(clone: Path, rival: Path) -> None:
    publish.publish(rival, "origin", contents(rival, VERSION, "tier2@v1.0.0"))
    tag_objects.create_tags(clone, contents(clone))
    before = objects(clone)
    with pytest.raises(RefusedError, match=rf"`{VERSION}` on the Git remote `origin` is another tag than") as refused:
        publish.fetch_tags(clone, "origin")
    assert objects(clone) == before
    assert f"`git tag --delete {VERSION}`" in refused.value.hint


@pytest.mark.parametrize(
    "settings",
    [
        {"remote.origin.fetch": "+refs/tags/*:refs/tags/*"},
        {"push.followTags": "true"},
        {"fetch.pruneTags": "true", "fetch.prune": "true"},
        {"remote.origin.tagOpt": "--tags"},
        {"remote.origin.push": "refs/tags/*:refs/tags/*"},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_git_settings_overwrite_and_publish_no_other_tag(
    clone: Path, rival: Path, server: Path, settings: dict[str, str]
) -> None:
    publish.publish(rival, "origin", contents(rival, "nightly", "tier1@v0.1.0"))
    tag_objects.create_tags(clone, contents(clone, "nightly", "mine"))
    for name, value in settings.items():
        run(clone, "config", name, value)
    before, there = objects(clone), objects(server)
    publish.fetch_tags(clone, "origin")
    make(clone)
    assert set(objects(clone)) == {*before, "tier1@v0.1.0", *BOTH}
    assert before.items() < objects(clone).items()
    assert set(objects(server)) == {*there, *BOTH}
    assert there.items() < objects(server).items()


def test_the_remote_is_that_of_the_upstream_or_origin_or_the_only_one(clone: Path, server: Path) -> None:
    assert publish.remote_of(clone) == "origin"
    run(clone, "remote", "add", "fork", str(server))
    run(clone, "push", "--quiet", "--set-upstream", "fork", "main")
    assert publish.remote_of(clone) == "fork"
    run(clone, "checkout", "--quiet", "--detach")
    assert publish.remote_of(clone) == "origin"
    run(clone, "switch", "--quiet", "--create", "local", "--track", "main")
    assert publish.remote_of(clone) == "origin"
    run(clone, "remote", "rename", "origin", "upstream")
    with pytest.raises(RefusedError, match="fork, upstream") as refused:
        publish.remote_of(clone)
    assert "--set-upstream-to" in refused.value.hint
    assert publish.command(clone, [VERSION]) == f"git push --atomic REMOTE refs/tags/{VERSION}"
    run(clone, "remote", "remove", "fork")
    assert publish.remote_of(clone) == "upstream"
    run(clone, "remote", "remove", "upstream")
    assert publish.remote_of(clone) is None


def test_several_push_urls_are_refused_before_anything_is_fetched(clone: Path, server: Path) -> None:
    """One of the servers could take the tags, and another refuse them."""
    for url in (str(server), str(server.with_name("other.git"))):
        run(clone, "remote", "set-url", "--add", "--push", "origin", url)
    with pytest.raises(RefusedError, match="`origin` has 2 push URLs"):
        publish.fetch_tags(clone, "origin")


def test_what_a_failed_push_left_is_asked_of_the_url_that_was_pushed_to(clone: Path, server: Path) -> None:
    """The URL to fetch from is another repository, which has the tags: the push did not succeed."""
    tag_objects.create_tags(clone, contents(clone, *sorted(BOTH)))
    mirror = server.with_name("mirror.git")
    run(clone, "clone", "--quiet", "--mirror", str(clone), str(mirror))
    run(clone, "remote", "set-url", "origin", str(mirror))
    run(clone, "remote", "set-url", "--push", "origin", str(server))
    hook(server, "pre-receive", "exit 1")
    with pytest.raises(git.GitError, match="does not take the tags"):
        publish.push_tags(clone, "origin", objects(clone))
    assert objects(server) == {}


def test_the_printed_command_publishes_both(clone: Path, server: Path) -> None:
    tag_objects.create_tags(clone, contents(clone))
    subprocess.run(publish.command(clone, [VERSION, STAGE]), shell=True, cwd=clone, check=True, capture_output=True)
    assert set(objects(server)) == BOTH
    assert objects(server) == objects(clone)
