"""How a release was made is kept with it, bound to it by its hash, and says nothing of other runs."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from gogooku3 import paths
from gogooku3.cli import main
from gogooku3.errors import DataError, MismatchError
from gogooku3.package.results import ABSENT
from gogooku3.recovery import leaderboard
from gogooku3.recovery.archive.create import create
from gogooku3.recovery.archive.restore import restore
from gogooku3.recovery.audit import audit
from gogooku3.recovery.garbage import FLAGS
from gogooku3.recovery.promote import promote
from gogooku3.recovery.provenance import document, stored
from gogooku3.recovery.provenance.document import collect
from gogooku3.recovery.provenance.runs import phase_runs, phases_of
from gogooku3.recovery.recover import recover
from gogooku3.recovery.releases import git, tags
from gogooku3.recovery.releases.record import Provenance, message, parse, training
from gogooku3.runtime.files import md5_file
from gogooku3.stages import run_record

from ..conftest import KINDS, Bucket

TAG = "tier1@v1.0.0"
WEIGHTS = "models/finetune/model.safetensors"
LOG = "logs/training/finetune-abc.log"
HARDWARE = {"cpu": "AMD EPYC", "cpus": 2, "gpu": None}


def write(lab: Any, path: str, content: Any) -> None:
    file = lab.folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content))


def ran(lab: Any, stage: str, *outputs: str, name: str = "", **facts: Any) -> None:
    """Writes the record of a stage's run that made these outputs."""
    content = {
        "command": stage,
        "started": "2026-01-02T03:04:05+00:00",
        "seconds": 12.5,
        "outputs": {path: md5_file(lab.folder / path) for path in outputs},
        "machine": HARDWARE,
        "installed": {"numpy": "2.1.0"},
        "user": "alice",
        "host": "secret-host",
    }
    write(lab, f"logs/runs/{name or stage}.json", content | facts)


def trained(lab: Any, run: str = "abc", log: str = "epoch 0: loss -0.5\n", **facts: Any) -> None:
    """Writes the timing and the log of the run that trained the last phase."""
    segments = [{"started": "2026-01-02T03:04:05+00:00", "seconds": 40.0, "steps": 10, "samples": 4000}] * 2
    content = {"phase": "finetune", "run": run, "segments": segments}
    outputs = {"model.safetensors": md5_file(lab.folder / WEIGHTS), "history.json": "0" * 32}
    write(lab, f"logs/training/finetune-{run}.json", content | {"outputs": outputs} | facts)
    write(lab, f"logs/training/finetune-{run}.log", log)
    write(lab, f"logs/training/finetune-{run}.csv", "epoch,train_loss\n0,-0.5\n")


def recorded(lab: Any) -> None:
    """Records of the two stages that a test looks at; the others were restored from the run cache."""
    ran(lab, "finetune", WEIGHTS)
    ran(lab, "package", "models/package/MANIFEST.json")
    trained(lab)


def collected(lab: Any, **options: bool) -> tuple[dict[str, Any], document.Document]:
    made = collect(lab.folder, TAG, git.commit_of(lab.folder, "HEAD"), **{"with_user": False, **options})
    return dict(json.loads(made.content)), made


def named(lab: Any) -> Provenance:
    record = parse(tags.find(lab.folder, TAG).tag.message)
    assert record is not None
    assert record.provenance is not None
    return record.provenance


def point_at(lab: Any, bucket: Bucket) -> Path:
    """Makes a bucket of the emulator the remote; returns its settings for a clone."""
    settings = lab.folder.parent / "settings"
    settings.write_text(
        f"['remote \"store\"']\n    url = {bucket.url}\n    endpointurl = {bucket.endpoint}\n"
        "    allow_anonymous_login = true\n"
    )
    shutil.copyfile(settings, lab.folder / ".dvc/config.local")
    return settings


@pytest.fixture
def made(lab: Any) -> Any:
    recorded(lab)
    return lab


def test_what_ran_here_is_told_with_durations_machines_and_logs_and_of_the_rest_that_nothing_is_recorded(
    made: Any,
) -> None:
    content, result = collected(made)
    assert (content["format"], content["tag"]) == (1, TAG)
    runs = {name: stage["run"] for name, stage in content["stages"].items()}
    assert {name for name, run in runs.items() if run} == {"finetune", "package"}
    assert content["stages"]["dataset"] == {"run": None, "reason": document._NO_RECORD}
    assert runs["finetune"]["seconds"] == 12.5
    assert content["machines"] == [HARDWARE]
    assert content["environments"] == [{"numpy": "2.1.0"}]
    assert content["locked"]["torch"].startswith("2.")
    phase = content["phases"]["finetune"]["run"]
    assert (phase["seconds"], phase["samples_per_second"], len(phase["segments"])) == (80.0, 100.0, 2)
    assert content["logs"] == {phase["log"]: "epoch 0: loss -0.5\n", phase["curve"]: "epoch,train_loss\n0,-0.5\n"}
    assert phase["log"] == LOG
    assert (result.training_seconds, result.hardware) == (80.0, "AMD EPYC, 2 CPUs")


def test_user_and_host_are_named_only_if_asked_for(made: Any) -> None:
    assert not re.search(b"alice|secret-host", collected(made)[1].content)
    run = collected(made, with_user=True)[0]["stages"]["package"]["run"]
    assert (run["user"], run["host"]) == ("alice", "secret-host")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda lab: (lab.folder / WEIGHTS).write_bytes(b"another run's"),
        lambda lab: (
            trained(lab, outputs={"model.safetensors": "0" * 32}) or ran(lab, "finetune", outputs={WEIGHTS: "0"})
        ),
        lambda lab: trained(lab, outputs={}) or ran(lab, "finetune", outputs={}),
        lambda lab: trained(lab, outputs={}) or ran(lab, "finetune", "params.yaml"),  # not its output
        lambda lab: trained(lab, outputs=None) or ran(lab, "finetune", WEIGHTS, seconds="long"),
        lambda lab: [write(lab, str(file), "{") for file in (lab.folder / "logs").rglob("finetune*.json")],
        lambda lab: shutil.rmtree(lab.folder / "logs"),
    ],
    ids=["other weights", "other hashes", "unbound", "foreign output", "not a record", "damaged", "none"],
)
def test_the_record_of_another_run_is_not_shown(made: Any, spoil: Any) -> None:
    spoil(made)
    content, result = collected(made)
    assert content["phases"]["finetune"]["run"] is None
    assert content["stages"]["finetune"]["run"] is None
    assert content["logs"] == {}
    assert (result.training_seconds, result.hardware) == (None, None)
    assert training(Provenance("0" * 64, "0" * 32, 1, None, None)).startswith("not recorded")


def test_of_two_records_with_the_same_outputs_the_newest_is_taken(made: Any) -> None:
    ran(made, "finetune", WEIGHTS, name="later", started="2026-02-02T00:00:00+00:00", seconds=1.0)
    ran(made, "finetune", WEIGHTS, name="a", started="2025-02-02T00:00:00+00:00", seconds=2.0)
    assert collected(made)[0]["stages"]["finetune"]["run"]["seconds"] == 1.0


def test_long_logs_are_cut_in_the_middle_and_any_bytes_are_text(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "_LOG", 1000)
    (made.folder / LOG).write_bytes(b"begin\xff\x1b" + b"x" * 5000 + b"end")
    text = collected(made)[0]["logs"][LOG]
    assert text.startswith("begin\ufffd\x1bx")
    assert text.endswith("xend")
    assert "[4010 bytes left out]" in text


def test_a_fold_without_steps_has_no_run(made: Any) -> None:
    """The history of a phase with 0 epochs is the same whatever its weights are."""
    folder = made.folder / "models/folds/1"
    (folder / "history").mkdir(parents=True)
    (folder / "history/gat.json").write_text("{}")
    segments = [{"started": "2026-01-02T03:04:05+00:00", "seconds": 1.0, "steps": 0, "samples": 0}]
    outputs = {"history.json": md5_file(folder / "history/gat.json")}
    phases = phases_of(made.folder, {"fold@1": ["models/folds/1"]})
    assert [phase.name for phase in phases] == ["fold_1/gat"]
    for steps in (0, 3):
        write(
            made,
            "logs/training/fold_1/gat-abc.json",
            {"segments": [segments[0] | {"steps": steps}], "outputs": outputs},
        )
        assert (phase_runs(made.folder, phases)["fold_1/gat"] is not None) == (steps > 0)


def test_a_link_of_the_commit_does_not_lead_out_of_the_clone(tmp_path: Path) -> None:
    (tmp_path / "clone").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "clone/logs").symlink_to(tmp_path / "outside")
    with pytest.raises(DataError, match="leads out of the repository"):
        stored.write(tmp_path / "clone", TAG, b"{}")
    assert list((tmp_path / "outside").iterdir()) == []
    (tmp_path / "clone/logs").unlink()
    target = tmp_path / "clone" / stored.file_of(TAG)
    target.parent.mkdir(parents=True)
    target.symlink_to(tmp_path / "outside/x")
    stored.write(tmp_path / "clone", TAG, b"{}")
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    assert (target.is_symlink(), target.read_bytes(), (tmp_path / "outside/x").exists()) == (False, b"{}", False)


def test_text_of_a_tag_is_no_markup_on_the_leaderboard() -> None:
    foreign = Provenance("0" * 64, "0" * 32, 1, 1.0, "<b>|**GPU**\x1b[31m\n| row")
    cell = leaderboard._trained(SimpleNamespace(provenance=foreign))
    assert cell == r"1 s on &lt;b&gt;\|\*\*GPU\*\*\\x1b\[31m \| row"
    assert leaderboard._trained(None) == leaderboard._trained(SimpleNamespace(provenance=None)) == ABSENT
    with pytest.raises(ValidationError):
        Provenance("0" * 64, "0" * 32, 1, 1.0, "x" * 201)


@pytest.mark.parametrize(("seconds", "text"), [(83.4, "83 s"), (600.0, "10 min"), (9000.0, "2.5 h")])
def test_the_duration_is_told_in_a_fitting_unit(seconds: float, text: str) -> None:
    assert training(Provenance("0" * 64, "0" * 32, 1, seconds, "a GPU")) == f"{text} on a GPU"


@pytest.mark.slow
def test_a_record_without_provenance_or_with_an_invalid_one_is_read_as_such(made: Any) -> None:
    promote(made.folder, "tier1")
    record = parse(tags.find(made.folder, TAG).tag.message)
    assert record is not None
    text = message(replace(record, provenance=None))
    older = parse(text.replace(', "provenance": null', ""))
    assert older is not None
    assert older.provenance is None
    forged = message(record).replace(f'"md5": "{named(made).md5}"', '"md5": "../../x"')
    assert parse(forged) is None
    # What the tag shows.
    assert f"provenance SHA-256: {named(made).sha256}" in message(record)
    assert "training: 80 s on AMD EPYC, 2 CPUs" in message(record)
    printed = made.run("gogooku3", "tiers").stdout
    assert re.search("^trained 80 s ", printed, re.MULTILINE)
    assert (
        json.loads(made.run("gogooku3", "tiers", "--json").stdout)[0]["record"]["provenance"]["hardware"]
        == "AMD EPYC, 2 CPUs"
    )
    assert stored.objects_of(stored.open_cache(made.folder)).read(named(made).md5) is not None
    assert git.changes(made.folder) == []


@pytest.mark.slow
def test_it_comes_back_byte_for_byte_after_recover_and_from_archives(made: Any, bucket: Bucket, tmp_path: Path) -> None:
    settings = point_at(made, bucket)
    lock = (made.folder / "dvc.lock").read_bytes()
    promote(made.folder, "tier1")
    assert (made.folder / "dvc.lock").read_bytes() == lock
    provenance = named(made)
    content = bucket.read(f"store/provenance/{provenance.md5[:2]}/{provenance.md5[2:]}")
    assert (hashlib.sha256(content).hexdigest(), len(content)) == (provenance.sha256, provenance.size)
    assert json.loads(content)["logs"][LOG] == "epoch 0: loss -0.5\n"

    recovered = recover(str(made.folder), "tier1", tmp_path / "back", settings=settings)
    assert recovered.provenance == str(stored.file_of(TAG))
    assert (tmp_path / "back" / stored.file_of(TAG)).read_bytes() == content
    assert git.changes(tmp_path / "back") == []

    for folder, name in ((made.folder, "one"), (tmp_path / "back", "two")):
        create(folder, TAG, tmp_path / f"{name}.tar")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    restore(tmp_path / "two.tar", tmp_path / "restored")
    assert (tmp_path / "restored" / stored.file_of(TAG)).read_bytes() == content
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    subprocess.run(["tar", "-xf", tmp_path / "one.tar", "-C", unpacked], check=True)
    subprocess.run([sys.executable, "-I", unpacked / "restore.py", tmp_path / "bare"], check=True)
    assert (tmp_path / "bare" / stored.file_of(TAG)).read_bytes() == content
    readme = (unpacked / "README.md").read_text()
    for said in ("80 s on AMD EPYC, 2 CPUs", "sharpe 1.0", "parameters, ", "RankIC 0.05", "provenance.json"):
        assert said in readme

    # An archive is a source of it, and a restored clone fills a new bucket.
    bucket.lose(f"store/provenance/{provenance.md5[:2]}/{provenance.md5[2:]}")
    lost = recover(str(made.folder), "tier1", tmp_path / "lost", settings=settings)
    assert (lost.good, lost.provenance) == (True, None)
    assert "missing in gs://" in str(lost.provenance_lost)
    again = recover(str(made.folder), "tier1", tmp_path / "again", settings=settings, also=[tmp_path / "one.tar"])
    assert (tmp_path / "again" / str(again.provenance)).read_bytes() == content


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_object_is_a_finding_of_audit_which_repairs_it(made: Any, bucket: Bucket, kind: str) -> None:
    point_at(made, bucket)
    promote(made.folder, "tier1")
    name = f"store/provenance/{named(made).md5[:2]}/{named(made).md5[2:]}"
    content = bucket.read(name)
    assert audit(made.folder, [TAG, "HEAD"]).passed
    if kind == "missing":
        bucket.lose(name)
    else:
        bucket.write(name, KINDS[kind](content))
    found = audit(made.folder, [TAG, "HEAD"])
    assert [(each.rev, each.path, each.damage.kind) for each in found.problems] == [
        (rev, str(stored.file_of(TAG)), kind) for rev in (TAG, "HEAD")
    ]
    assert made.run("gogooku3", "tiers", "--check", check=False).returncode == 1
    with pytest.raises(DataError, match="no source has an intact copy"):
        shutil.rmtree(made.folder / ".dvc/cache/provenance")
        stored.fetch_provenance(made.folder, TAG, named(made))
    stored.put(stored.open_cache(made.folder), content)
    repaired = audit(made.folder, [TAG], repair=True)
    assert (repaired.passed, len(repaired.repaired)) == (True, 1)
    assert bucket.read(name) == content


@pytest.mark.slow
def test_garbage_collection_keeps_it(made: Any, bucket: Bucket) -> None:
    """Even one that keeps nothing else of the release: DVC does not know its folder."""
    point_at(made, bucket)
    promote(made.folder, "tier1")
    for flags in (FLAGS, ("--workspace",)):
        made.run("dvc", "gc", "--force", "--cloud", *flags)
        assert stored.fetch_provenance(made.folder, TAG, named(made))
        assert audit(made.folder, [TAG]).passed
    assert (made.folder / ".dvc/cache/provenance").is_dir()


@pytest.mark.slow
def test_another_object_than_the_tag_names_is_refused(made: Any, tmp_path: Path) -> None:
    promote(made.folder, "tier1")
    other = replace(named(made), sha256="0" * 64)
    with pytest.raises(MismatchError, match="is another one"):
        stored.fetch_provenance(made.folder, TAG, other)
    with pytest.raises(MismatchError, match="is another one"):
        stored.fetch_provenance(made.folder, TAG, replace(named(made), size=1))


@pytest.mark.slow
def test_the_real_records_of_a_stage_reach_the_tag_through_the_command(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(lab.folder)
    run_record.record_run(("package",), datetime.now(UTC))
    lab.run("gogooku3", "promote", "tier1", "--with-user")
    content = json.loads(stored.fetch_provenance(lab.folder, TAG, named(lab)))
    run = content["stages"]["package"]["run"]
    assert run["host"]
    assert content["machines"][run["machine"]] == run_record.machine()
    assert content["environments"][run["environment"]] == run_record.installed()
    assert CliRunner().invoke(main, ["leaderboard"]).exit_code == 0
    row = (lab.folder / paths.LEADERBOARD).read_text().splitlines()[-1]
    assert row.split("|")[-3].strip() == "not recorded: trained elsewhere, or restored from the run cache"
