from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gogooku3.cli import main

MODEL = "models/package/model.bin"
SOURCE = Path(__file__).parents[2] / "src"


@pytest.fixture
def run(pushed, monkeypatch):
    """`gogooku3 audit …` in the toy repository."""
    monkeypatch.chdir(pushed.folder)

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["audit", *arguments])

    return invoke


def lose_model(toy, bucket) -> str:
    oid = toy.object_of(MODEL)
    bucket.lose(bucket.at(oid))
    return oid


def test_a_whole_bucket_exits_with_0_and_one_line(run, bucket):
    done = run()
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{bucket.url}: 6 objects of 1 revision, 1 of them read and hashed: all whole\n"


def test_a_lost_object_exits_with_1_and_a_table_that_names_it(run, pushed, bucket):
    lose_model(pushed, bucket)
    done = run("toy@v1.0.0")
    assert done.exit_code == 1
    table = "".join(done.stdout.split())
    assert all(word in table for word in ("toy@v1.0.0", "missing", "240"))
    assert done.stdout.splitlines()[-1].endswith(": 1 damaged")


def test_json_says_what_is_wrong_to_programs(run, pushed, bucket):
    oid = lose_model(pushed, bucket)
    done = run("--json")
    assert done.exit_code == 1
    result = json.loads(done.stdout)
    assert result["passed"] is False
    assert result["store"] == bucket.url
    assert result["problems"] == [
        {
            "rev": "workspace",
            "stage": "model",
            "output": MODEL,
            "path": MODEL,
            "object": oid,
            "damage": {"kind": "missing", "expected_size": 240, "found_size": None},
            "note": "",
        }
    ]


def test_repair_exits_with_0_once_all_is_whole_again(run, pushed, bucket):
    oid = lose_model(pushed, bucket)
    done = run("--repair")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1].endswith("all whole, 1 repaired")
    assert bucket.at(oid) in bucket.names()


def test_repair_exits_with_1_while_something_has_no_good_copy(run, pushed, bucket):
    oid = lose_model(pushed, bucket)
    pushed.cached(oid).unlink()
    done = run("--repair", "--json")
    assert done.exit_code == 1
    assert "no good copy" in json.loads(done.stdout)["problems"][0]["note"]


def test_all_tags_are_audited_but_those_from_before_the_pipeline(run, pushed, bucket):
    empty = pushed.run("git", "commit-tree", "-m", "before", pushed.run("git", "mktree").stdout.strip())
    pushed.run("git", "tag", "before", empty.stdout.strip())
    pushed.revise("two", tag="toy@v2.0.0")
    done = run("--all-tags", "--json")
    assert done.exit_code == 1
    result = json.loads(done.stdout)
    assert result["revs"] == ["toy@v1.0.0", "toy@v2.0.0"]
    assert {problem["rev"] for problem in result["problems"]} == {"toy@v2.0.0"}
    assert pushed.run("dvc", "push", "--quiet").returncode == 0
    assert run("--all-tags").exit_code == 0


def test_no_tag_to_audit_is_said(run, pushed):
    pushed.run("git", "tag", "--delete", "toy@v1.0.0")
    done = run("--all-tags")
    assert done.exit_code == 3
    assert "no tag has a `dvc.lock`" in done.stderr


def test_an_unknown_revision_exits_with_3(run):
    done = run("nope")
    assert done.exit_code == 3
    assert "`nope`" in done.stderr
    assert "hint: " in done.stderr


def test_local_audits_the_cache(run, pushed):
    assert run("--local").exit_code == 0
    pushed.spoil_cached(pushed.object_of(MODEL), "altered")
    assert run("--local").exit_code == 1
    assert run("--local", "--repair").exit_code == 0


def test_a_bucket_that_is_gone_is_one_message_in_under_30_seconds(toy):
    toy.local("core", remote="gone")
    toy.local(
        "'remote \"gone\"'", url="gs://gone/store", endpointurl="http://127.0.0.1:9", allow_anonymous_login="true"
    )
    program = "from gogooku3.cli import main; main(['audit'])"
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=toy.folder, env=environment, capture_output=True, text=True, check=False
    )
    assert time.monotonic() - started < 30
    assert done.returncode == 7
    error, hint = done.stderr.strip().splitlines()
    assert error.startswith("error: `gs://gone/store` gives no answer in 10 s: Cannot connect to host 127.0.0.1:9")
    assert hint.startswith("hint: ")
    assert done.stdout == ""
