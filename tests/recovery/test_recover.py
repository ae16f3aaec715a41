"""Recovering a release from a real repository and its bucket."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gogooku3.errors import DataError
from gogooku3.recovery.promote import promote
from gogooku3.recovery.recover import recover
from gogooku3.recovery.releases import git, tag_objects, tags
from gogooku3.recovery.releases.record import parse
from gogooku3.recovery.storage import lock

from ..conftest import KINDS


@dataclass(frozen=True)
class Delivery:
    """A released model, and a folder in which only its URL is known."""

    lab: Any
    settings: Path
    place: Path

    def command(self, name: str, *more: str, check: bool = True) -> Any:
        command = ("gogooku3", "recover", name, "--from", str(self.lab.folder), "--to", "back", "--json")
        return self.lab.run(*command, "--settings", str(self.settings), *more, cwd=self.place, check=check)

    def recover(self, name: str = "tier1", *more: str) -> Any:
        return json.loads(self.command(name, *more).stdout)

    def refused(self, name: str, *more: str, code: int) -> str:
        done = self.command(name, *more, check=False)
        assert (done.returncode, done.stdout, done.stderr.count("Traceback")) == (code, "", 0)
        return str(done.stderr)

    @property
    def back(self) -> Path:
        return self.place / "back"

    def stored(self, path: str) -> Path:
        """The bucket's object of an output."""
        oid = {output.path: output.md5 for output in lock.outputs(self.lab.folder, "HEAD")}[path]
        return self.lab.bucket / "files/md5" / oid[:2] / oid[2:]


@pytest.fixture(scope="module")
def source(trained: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    lab = trained.copy(tmp_path_factory.mktemp("released"))
    promote(lab.folder, "tier1")
    return lab


@pytest.fixture
def delivery(source: Any, tmp_path: Path) -> Delivery:
    lab = source.copy(tmp_path)
    place = tmp_path / "elsewhere"
    place.mkdir()
    settings = tmp_path / "settings"
    settings.write_text(f"['remote \"store\"']\n    url = {lab.bucket}\n")
    return Delivery(lab, settings, place)


def spoil(file: Path, kind: str) -> None:
    content = file.read_bytes()
    file.unlink()
    if kind != "missing":
        file.write_bytes(KINDS[kind](content))


def hashes(package: Path) -> dict[str, str]:
    files = sorted(path for path in package.rglob("*") if path.is_file() and path.name != ".gitignore")
    return {str(path.relative_to(package)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_model_is_recovered_byte_for_byte_and_verified(delivery: Delivery) -> None:
    lab = delivery.lab
    promised = hashes(lab.folder / "models/package")
    found = delivery.recover()
    assert hashes(delivery.back / "models/package") == promised
    assert (found["tag"], found["commit"], found["good"]) == ("tier1@v1.0.0", git.commit_of(lab.folder, "HEAD"), True)
    assert not (delivery.back / "data/dataset").exists()
    record = parse(tags.find(delivery.back, "tier1").tag.message)
    assert record is not None
    assert record.provenance is not None
    provenance = (delivery.back / found["provenance"]).read_bytes()
    assert hashlib.sha256(provenance).hexdigest() == record.provenance.sha256
    assert git.changes(delivery.back) == []


@pytest.mark.slow
def test_the_dataset_is_fetched_on_request(delivery: Delivery) -> None:
    found = delivery.recover("tier1@v1.0.0", "--data")
    lab = delivery.lab.folder
    month = "data/dataset/features/2024-01.parquet"
    assert (delivery.back / month).read_bytes() == (lab / month).read_bytes()
    checks = {check["name"]: check["outcome"] for check in found["verdict"]["checks"]}
    assert (checks["dataset"], checks["lock"], checks["golden"]) == ("passed", "passed", "passed")


@pytest.mark.slow
def test_fetched_objects_are_not_fetched_again(delivery: Delivery) -> None:
    first = delivery.recover()
    (delivery.back / "models/package/README.md").unlink()
    again = delivery.recover()
    assert sum(first["fetched"]["brought"].values()) == first["fetched"]["objects"] > 0
    assert sum(again["fetched"]["brought"].values()) == 0
    assert hashes(delivery.back / "models/package") == hashes(delivery.lab.folder / "models/package")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", ["models/package/model.safetensors", "models/package/README.md", "data/dataset"])
def test_a_damaged_object_is_named_and_never_checked_out(delivery: Delivery, path: str, kind: str) -> None:
    spoil(delivery.stored(path), kind)
    with pytest.raises(DataError, match=rf"`{path}` .*: {kind} in {delivery.lab.bucket}"):
        recover(str(delivery.lab.folder), "tier1", delivery.back, data=True, settings=delivery.settings)
    assert hashes(delivery.back / "models/package") == {}


@pytest.mark.slow
@pytest.mark.parametrize("path", ["models/package/model.safetensors", "data/dataset"])
def test_a_lost_object_is_found_in_a_colleagues_cache(delivery: Delivery, path: str) -> None:
    spoil(delivery.stored(path), "missing")
    found = delivery.recover("tier1", "--data", "--also", str(delivery.lab.folder))
    assert found["good"]
    assert found["fetched"]["brought"][str(delivery.lab.folder / ".dvc/cache/files/md5")] >= 1
    assert hashes(delivery.back / "data") == hashes(delivery.lab.folder / "data")


@pytest.mark.slow
def test_a_lost_object_is_found_in_an_archive(delivery: Delivery) -> None:
    archive = delivery.place / "kept.tar"
    delivery.lab.run("gogooku3", "archive", "create", "tier1", "--output", str(archive))
    spoil(delivery.stored("models/package/model.safetensors"), "altered")
    found = delivery.recover("tier1", "--also", str(archive))
    assert (found["good"], found["fetched"]["brought"][str(archive)]) == (True, 1)


@pytest.mark.slow
def test_a_lost_object_is_found_in_another_remote(delivery: Delivery) -> None:
    mirror = delivery.place / "mirror"
    shutil.copytree(delivery.lab.bucket, mirror)
    spoil(delivery.stored("models/package/config.json"), "missing")
    with delivery.settings.open("a") as settings:
        settings.write(f"['remote \"mirror\"']\n    url = {mirror}\n")
    assert delivery.recover()["fetched"]["brought"][str(mirror)] == 1


@pytest.mark.slow
def test_without_its_bucket_a_model_comes_from_elsewhere_or_the_bucket_is_named(delivery: Delivery) -> None:
    delivery.lab.bucket.rename(delivery.place / "moved")
    assert f"`{delivery.lab.bucket}` does not exist" in delivery.refused("tier1", code=7)
    assert delivery.recover("tier1", "--also", str(delivery.place / "moved"))["good"]


def from_a_newer_version(text: str) -> str:
    return text.replace('record: {"tier"', 'record: {"a_field_of_a_newer_version": {"x": 1}, "tier"')


MESSAGES = {
    "as it was": lambda text: text,
    "with a field of a newer version": from_a_newer_version,
    "with line ends of Windows": lambda text: text.replace("\n", "\r\n"),
    "with lines after it": lambda text: f"{text}\nReviewed-by: A <a@example.com>\n",
}
"""Messages of tags whose record is readable."""


def tag_again(lab: Any, change: Callable[[str], str], key: Path | None = None) -> None:
    """Makes the tag of the version again at HEAD, with a changed message, and signs it with an SSH key."""
    text = lab.run("git", "for-each-ref", "--format=%(contents)", "refs/tags/tier1@v1.0.0").stdout
    how = ["-c", "gpg.format=ssh", "-c", f"user.signingKey={key}", "tag", "--sign"] if key else ["tag", "--annotate"]
    lab.run("git", *how, "--force", "--cleanup=verbatim", "--message", change(text), "tier1@v1.0.0")


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("keys") / "signer"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True)
    return file


AS_IT_WAS, *CHANGED = MESSAGES
READABLE = pytest.mark.parametrize("how", [AS_IT_WAS, *(pytest.param(how, marks=pytest.mark.slow) for how in CHANGED)])


@pytest.mark.parametrize("signed", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["unsigned", "signed"])
@READABLE
def test_a_model_with_another_hash_than_the_tag_s_is_refused(
    delivery: Delivery, key: Path, how: str, signed: bool
) -> None:
    lab = delivery.lab
    lab.train(5, 0.07)
    tag_again(lab, MESSAGES[how], key if signed else None)
    lab.run("dvc", "push", "--quiet")
    said = delivery.refused("tier1@v1.0.0", code=5)
    assert "records a model with SHA-256" in said


@pytest.mark.slow
@READABLE
def test_the_record_of_a_signed_tag_is_compared(delivery: Delivery, key: Path, how: str) -> None:
    tag_again(delivery.lab, MESSAGES[how], key)
    found = delivery.recover("tier1@v1.0.0")
    assert (found["good"], found["recorded"]) == (True, True)


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        lambda _: "Registering artifact tier1 version v1.0.0\n",
        lambda text: text.replace('"model_sha256": "', '"model": "'),
        lambda text: text[: text.rindex("}")],
    ],
    ids=["a tag of gto", "a record without a model", "a record that is cut off"],
)
def test_without_a_readable_record_nothing_is_called_verified(delivery: Delivery, change: Callable[[str], str]) -> None:
    tag_again(delivery.lab, change)
    done = delivery.command("tier1@v1.0.0", check=False)
    found = json.loads(done.stdout)
    assert (done.returncode, found["good"], found["recorded"]) == (10, True, False)
    for_people = delivery.lab.run(
        *("gogooku3", "recover", "tier1@v1.0.0", "--from", str(delivery.lab.folder), "--to", "back"),
        *("--settings", str(delivery.settings)),
        cwd=delivery.place,
        check=False,
    )
    assert (for_people.returncode, "NOT compared" in for_people.stdout) == (10, True)
    assert "verified" not in for_people.stdout


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("tier9", 3, "no version of `tier9` was released; tiers with one: tier1"),
        ("tier1@v7.0.0", 3, "versions of `tier1`: tier1@v1.0.0"),
        ("tier1@../x", 3, "`tier1@../x` was never released"),
        ("tier1@", 3, "`tier1@` was never released"),
    ],
)
def test_an_unknown_release_leaves_nothing_behind(delivery: Delivery, name: str, code: int, words: str) -> None:
    assert words in delivery.refused(name, code=code)
    assert list(delivery.place.iterdir()) == []


def test_a_folder_with_something_else_in_it_stays_as_it_is(delivery: Delivery) -> None:
    delivery.back.mkdir()
    (delivery.back / "thesis.txt").write_text("mine")
    assert "is not empty" in delivery.refused("tier1", code=1)
    assert [path.name for path in delivery.back.iterdir()] == ["thesis.txt"]


@pytest.mark.slow
def test_a_changed_clone_stays_as_it_is(delivery: Delivery) -> None:
    delivery.recover()
    (delivery.back / "params.yaml").write_text("mine")
    assert "is a clone, but not an unchanged one at `tier1@v1.0.0`" in delivery.refused("tier1", code=1)
    assert (delivery.back / "params.yaml").read_text() == "mine"


def test_no_repository_is_one_line(delivery: Delivery, tmp_path: Path) -> None:
    done = delivery.lab.run(
        "gogooku3",
        "recover",
        "tier1",
        "--from",
        str(tmp_path / "nowhere"),
        "--to",
        "back",
        cwd=delivery.place,
        check=False,
    )
    assert done.returncode == 8
    assert "does not exist" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(delivery.place.iterdir()) == []


def test_an_unwritable_folder_is_one_line(delivery: Delivery) -> None:
    (delivery.place / "file").write_text("mine")
    command = ("gogooku3", "recover", "tier1", "--from", str(delivery.lab.folder), "--to", "file/back")
    done = delivery.lab.run(*command, cwd=delivery.place, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (4, "", 2)
    assert "file` cannot be used" in done.stderr or "file/.back.partial` cannot be used" in done.stderr


@pytest.mark.slow
def test_the_next_commands_work_for_a_folder_with_a_blank(delivery: Delivery) -> None:
    command = ("gogooku3", "recover", "tier1", "--from", str(delivery.lab.folder), "--to", "my model/")
    shown = delivery.lab.run(*command, "--settings", str(delivery.settings), cwd=delivery.place).stdout
    way = next(line for line in shown.splitlines() if line.startswith("continue:"))
    delivery.lab.run("sh", "-ec", f"{way.partition(':')[2]}; git rev-parse HEAD", cwd=delivery.place)


@pytest.mark.slow
def test_a_recovery_prints_the_next_commands(delivery: Delivery) -> None:
    command = ("gogooku3", "recover", "tier1", "--from", str(delivery.lab.folder), "--to", "back", "--data")
    shown = delivery.lab.run(*command, "--settings", str(delivery.settings), cwd=delivery.place).stdout
    assert "verified: this is the model that was released" in shown
    for command in (
        "predict models/package --dataset data/dataset",
        "train.start_from=tier1@v1.0.0",
        "gogooku3 reproduce",
    ):
        assert command in shown


@pytest.mark.slow
def test_recover_and_verify_run_no_code_of_the_repository(delivery: Delivery) -> None:
    """Its source, its modules where Python would look first, its build, and the commands of its stages."""
    lab, ran = delivery.lab, delivery.place / "ran"
    modules = ("gogooku3", "dvc", "src/gogooku3", "src/gogooku3/cli", "src/gogooku3/recovery")
    for name in (*(f"{module}/__init__.py" for module in modules), "src/gogooku3/__main__.py", "sitecustomize.py"):
        (lab.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (lab.folder / name).write_text(f"open({str(ran)!r}, 'a').write('code')\n")
    shutil.copyfile(lab.folder / "sitecustomize.py", lab.folder / "setup.py")
    pipeline = (lab.folder / "dvc.yaml").read_text()
    (lab.folder / "dvc.yaml").write_text(pipeline.replace("cmd: mkdir", f"cmd: touch {ran}; mkdir"))
    commit = lab.commit("A repository that would run something")
    tag = tags.find(lab.folder, "tier1").tag
    content = tag_objects.new_object(lab.folder, tag.name, commit, tag.message)
    git.run(lab.folder, "tag", "--delete", tag.name, "tier1#best#1")
    tag_objects.create_tags(
        lab.folder, {tag.name: content, "tier1#best#1": tag_objects.renamed(content, "tier1#best#1")}
    )
    found = delivery.recover()
    assert (found["commit"], found["good"]) == (commit, True)
    lab.run("gogooku3", "verify", cwd=delivery.back)
    assert not ran.exists()
