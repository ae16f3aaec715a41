"""Located copies, and the restore command: each command is run and must work."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gogooku3.cli import main

from .conftest import Bucket, Toy

MODEL = "models/package/model.bin"
PARTS = "data/parts"
FIRST = "data/parts/first.txt"

Locate = Callable[..., Result]


@pytest.fixture
def locate(pushed: Toy, monkeypatch: pytest.MonkeyPatch) -> Locate:
    """`gogooku3 locate …` in the toy repository."""
    monkeypatch.chdir(pushed.folder)

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["locate", *arguments])

    return invoke


@pytest.fixture
def other(pushed: Toy, tmp_path: Path) -> Path:
    """A second, complete remote, `spare`."""
    folder = tmp_path / "spare"
    folder.mkdir()
    pushed.local("'remote \"spare\"'", url=str(folder))
    pushed.run("dvc", "push", "--quiet", "--remote", "spare")
    return folder


def found(done: Result) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(done.stdout)
    return content


def lose_tree(toy: Toy, path: str) -> None:
    place = toy.folder / path
    shutil.rmtree(place) if place.is_dir() else place.unlink()


def alter_tree(toy: Toy, path: str) -> None:
    for file in [toy.folder / path] if (toy.folder / path).is_file() else (toy.folder / path).rglob("*.txt"):
        content = file.read_bytes()
        file.unlink()  # it may be a link into the cache
        file.write_bytes(content[:-1] + b"x")


def objects(toy: Toy, path: str) -> list[str]:
    place = toy.folder / path
    files = [each for each in place.rglob("*") if each.is_file()] if place.is_dir() else []
    return [toy.object_of(path), *(toy.object_of(str(each.relative_to(toy.folder))) for each in files)]


# Damage to an output and its objects, and the expected command.
SCENES: dict[str, tuple[Callable[[Toy, Bucket, str, list[str]], object], str]] = {
    "lost here": (lambda toy, bucket, path, oids: lose_tree(toy, path), "dvc checkout {path}"),
    "altered here": (lambda toy, bucket, path, oids: alter_tree(toy, path), "dvc checkout --force {path}"),
    "lost here and in the cache": (
        lambda toy, bucket, path, oids: (lose_tree(toy, path), [toy.cached(oid).unlink() for oid in oids]),
        "dvc pull {path}",
    ),
    "lost here, altered in the cache": (
        lambda toy, bucket, path, oids: (lose_tree(toy, path), toy.spoil_cached(oids[-1], "altered")),
        "gogooku3 audit --local --repair && dvc checkout --force {path}",
    ),
}


@pytest.mark.parametrize(
    ("scene", "path"),
    [
        ("lost here", PARTS),
        pytest.param("altered here", MODEL, marks=pytest.mark.slow),
        pytest.param("altered here", PARTS, marks=pytest.mark.slow),
        pytest.param("lost here and in the cache", MODEL, marks=pytest.mark.slow),
        pytest.param("lost here and in the cache", PARTS, marks=pytest.mark.slow),
        pytest.param("lost here and in the cache", FIRST, marks=pytest.mark.slow),
        pytest.param("lost here, altered in the cache", MODEL, marks=pytest.mark.slow),
        pytest.param("lost here, altered in the cache", PARTS, marks=pytest.mark.slow),
    ],
)
def test_the_command_restores_it(locate: Locate, pushed: Toy, bucket: Bucket, scene: str, path: str) -> None:
    before = pushed.outputs()
    spoil, command = SCENES[scene]
    spoil(pushed, bucket, path, objects(pushed, path))
    assert pushed.outputs() != before
    done = locate(path, "--json")
    assert done.exit_code == 0, done.output
    assert found(done)["command"] == command.format(path=path)
    pushed.run("bash", "-c", found(done)["command"])
    assert pushed.outputs() == before
    assert found(locate(path, "--json"))["command"] == ""


def test_an_intact_output_needs_no_command(locate: Locate, bucket: Bucket) -> None:
    done = locate(MODEL)
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-2:] == [
        "recorded by: working tree, toy@v1.0.0",
        "nothing to do: the working tree has it",
    ]
    places = found(locate(MODEL, "--json"))
    assert [place["is_whole"] for place in (places["tree"], places["cache"], *places["remotes"])] == [True] * 3
    assert places["remotes"][0]["where"] == bucket.url


def test_a_lost_object_of_the_bucket_is_found_although_the_tree_is_intact(
    locate: Locate, pushed: Toy, bucket: Bucket
) -> None:
    lost = bucket.at(pushed.object_of(FIRST))
    bucket.lose(lost)
    done = found(locate(PARTS, "--json"))
    assert done["remotes"][0]["damage"] == {FIRST: "missing"}
    assert done["command"] == "gogooku3 audit --repair"
    pushed.run("bash", "-c", done["command"])
    assert lost in bucket.names()


def test_a_corrupt_cache_is_found_although_the_tree_is_intact(locate: Locate, pushed: Toy) -> None:
    good = pushed.cached(pushed.object_of(MODEL)).read_bytes()
    pushed.spoil_cached(pushed.object_of(MODEL), "altered")
    done = found(locate(MODEL, "--json"))
    assert (done["cache"]["damage"], done["tree"]["damage"]) == ({MODEL: "altered"}, {})
    pushed.run("bash", "-c", done["command"])
    assert pushed.cached(pushed.object_of(MODEL)).read_bytes() == good


@pytest.mark.parametrize("kind", ["missing", pytest.param("altered", marks=pytest.mark.slow)])
def test_another_remote_has_it(locate: Locate, pushed: Toy, bucket: Bucket, other: Path, kind: str) -> None:
    before, oid = pushed.outputs(), pushed.object_of(MODEL)
    bucket.lose(bucket.at(oid))
    pushed.spoil_cached(oid, kind)
    lose_tree(pushed, MODEL)
    done = found(locate(MODEL, "--json"))
    assert done["command"].endswith(f"dvc pull --remote spare {MODEL}")
    pushed.run("bash", "-c", done["command"])
    assert pushed.outputs() == before


@pytest.mark.slow
def test_two_remotes_have_one_half_each(locate: Locate, pushed: Toy, bucket: Bucket, other: Path) -> None:
    before = pushed.outputs()
    first, second = (pushed.object_of(path) for path in (FIRST, "data/parts/deep/second.txt"))
    bucket.lose(bucket.at(first))
    (other / "files/md5" / second[:2] / second[2:]).unlink()
    for oid in (first, second):
        pushed.cached(oid).unlink()
    lose_tree(pushed, PARTS)
    done = locate(PARTS, "--json")
    assert done.exit_code == 0
    pushed.run("bash", "-c", found(done)["command"])
    assert pushed.outputs() == before


@pytest.mark.parametrize(
    "kind", ["missing", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("truncated", "altered"))]
)
def test_an_output_without_a_copy_ends_with_1_and_is_made_again(
    locate: Locate, pushed: Toy, bucket: Bucket, kind: str
) -> None:
    """DVC uses a corrupt cache file even after it made the output again: the command removes it."""
    before, oid = pushed.outputs(), pushed.object_of(MODEL)
    bucket.spoil(oid, kind)
    pushed.spoil_cached(oid, kind)
    lose_tree(pushed, MODEL)
    done = locate(MODEL)
    assert done.exit_code == 1
    command = done.stdout.splitlines()[-1].removeprefix("no intact copy: ")
    assert command.endswith("dvc repro model")
    pushed.run("bash", "-c", command)
    assert pushed.outputs() == before


def test_an_unreachable_remote_is_reported_in_one_line(locate: Locate, pushed: Toy, tmp_path: Path) -> None:
    (pushed.folder / ".dvc/config.local").unlink()
    pushed.local("core", remote="gone")
    for name in ("gone", "store"):
        pushed.local(f"'remote \"{name}\"'", url=str(tmp_path / "gone"))
    pushed.cached(pushed.object_of(MODEL)).unlink()
    lose_tree(pushed, MODEL)
    done = locate(MODEL, "--json")
    assert done.exit_code == 1
    remotes = {remote["name"]: remote["unreachable"] for remote in found(done)["remotes"]}
    assert all("does not exist" in reason and "\n" not in reason for reason in remotes.values())
    assert list(remotes) == ["gone", "store"], "the default one comes first"
    assert found(done)["command"] == "gogooku3 doctor"


@pytest.mark.slow
def test_tags_that_record_the_same_bytes_are_named(locate: Locate, pushed: Toy) -> None:
    pushed.revise("two", tag="toy@v2.0.0")
    assert found(locate("data/parts/constant.txt", "--json"))["tags"] == ["toy@v1.0.0", "toy@v2.0.0"]
    assert found(locate(FIRST, "--json"))["tags"] == ["toy@v2.0.0"]
    assert found(locate(MODEL, "--json"))["tags"] == ["toy@v2.0.0"]


def test_a_release_is_located_as_its_tag_records_it(locate: Locate, pushed: Toy) -> None:
    before = pushed.outputs()
    pushed.run("git", "tag", "--delete", "toy@v1.0.0")
    pushed.run("git", "tag", "--annotate", "--message", "toy", "toy@v1.0.0")
    old = pushed.object_of(MODEL)
    pushed.revise("two")
    done = found(locate("toy@v1.0.0", "--json"))
    assert done["recorded_by"] == "toy@v1.0.0"
    assert {output["path"]: output["md5"] for output in done["wanted"]}[MODEL] == old
    assert done["tree"]["damage"][MODEL] == "altered"
    assert done["cache"]["is_whole"]
    pushed.run("bash", "-c", done["command"])
    assert {path: content for path, content in pushed.outputs().items() if path.startswith("models")} == {
        path: content for path, content in before.items() if path.startswith("models")
    }


def test_a_lost_listing_hides_the_hash_of_its_files(locate: Locate, pushed: Toy, bucket: Bucket) -> None:
    oid = pushed.object_of(PARTS)
    bucket.lose(bucket.at(oid))
    pushed.cached(oid).unlink()
    done = locate(FIRST)
    assert done.exit_code == 3
    assert f"no source has an intact listing ({oid})" in done.stderr
    assert f"gogooku3 locate {PARTS}" in done.stderr
    lose_tree(pushed, FIRST)
    assert locate(PARTS).exit_code == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["missing", pytest.param("altered", marks=pytest.mark.slow)])
@pytest.mark.parametrize("path", [MODEL, PARTS])
def test_the_only_copy_is_backed_up(locate: Locate, pushed: Toy, bucket: Bucket, path: str, kind: str) -> None:
    """A directory is identified by its hash even if its listing is lost everywhere."""
    before, stored, oid = pushed.outputs(), bucket.contents(), pushed.object_of(path)
    bucket.spoil(oid, kind)
    pushed.spoil_cached(oid, kind)
    done = locate(path, "--json")
    assert (done.exit_code, found(done)["tree"]["is_whole"]) == (0, True)
    pushed.run("bash", "-c", found(done)["command"])
    assert (pushed.outputs(), bucket.contents()) == (before, stored)
    assert found(locate(path, "--json"))["command"] == ""


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("score.txt", "`score.txt` is tracked by Git"),
        ("data/parts/nothing.txt", "no `nothing.txt` among the 3 files"),
        ("models/other.bin", "neither an output that `dvc.lock` records nor a released version"),
        ("tier9@v1.0.0", "neither an output that `dvc.lock` records nor a released version"),
        ("../outside", "neither an output that `dvc.lock` records nor a released version"),
    ],
)
def test_an_unrecorded_path_ends_with_3(locate: Locate, target: str, told: str) -> None:
    done = locate(target)
    assert done.exit_code == 3
    assert told in done.stderr
    assert "hint: " in done.stderr


def test_paths_are_relative_to_the_current_folder(locate: Locate, pushed: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    before = pushed.outputs()
    lose_tree(pushed, FIRST)
    monkeypatch.chdir(pushed.folder / "models")
    done = found(locate("../data/parts/first.txt", "--json"))
    assert done["command"] == "dvc checkout ../data/parts/first.txt"
    Toy(pushed.folder / "models").run("bash", "-c", done["command"])
    assert pushed.outputs() == before
