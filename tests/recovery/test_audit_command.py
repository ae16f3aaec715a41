from __future__ import annotations

import json
import os
import re
import subprocess
import sys
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


def test_an_intact_bucket_exits_with_0_and_one_line(run, bucket):
    done = run()
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{bucket.url}: 6 objects of 1 revision, 1 of them read and hashed: all intact\n"


def test_a_lost_object_exits_with_1_and_a_table_that_names_it(run, pushed, bucket):
    lose_model(pushed, bucket)
    done = run("toy@v1.0.0")
    assert done.exit_code == 1
    table = "".join(done.stdout.split())
    assert all(word in table for word in ("toy@v1.0.0", "missing", "240"))
    assert done.stdout.splitlines()[-1].endswith(": 1 damaged")


def test_json_has_the_problems(run, pushed, bucket):
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
            "damage": {"kind": "missing", "expected_size": 240, "found_size": None, "reason": "", "hint": ""},
            "note": "",
        }
    ]


def test_repair_exits_with_0_once_all_objects_are_intact(run, pushed, bucket):
    oid = lose_model(pushed, bucket)
    done = run("--repair")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1].endswith("all intact, 1 repaired")
    assert bucket.at(oid) in bucket.names()


def test_repair_exits_with_1_if_an_object_has_no_intact_copy(run, pushed, bucket):
    oid = lose_model(pushed, bucket)
    pushed.cached(oid).unlink()
    done = run("--repair", "--json")
    assert done.exit_code == 1
    assert "no intact copy" in json.loads(done.stdout)["problems"][0]["note"]


def test_all_tags_are_audited_except_those_older_than_the_pipeline(run, pushed, bucket):
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


def test_no_tag_to_audit_is_an_error(run, pushed):
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


@pytest.fixture
def run_unstable(unstable, monkeypatch):
    """`gogooku3 audit --local …` after the stage `draw` gave two results."""
    unstable.run("dvc", "repro", "--quiet", "--force")
    monkeypatch.chdir(unstable.folder)
    return lambda *arguments: CliRunner().invoke(main, ["audit", "--local", *arguments])


def test_local_counts_the_runs(run, pushed):
    runs = [*(pushed.folder / ".dvc/cache/runs").glob("*/*/*")]
    counted = f"{pushed.folder}/.dvc/cache/runs: {len(runs)} run{'s' * (len(runs) != 1)} recorded, none in conflict"
    assert run("--local").stdout.splitlines()[1:] == [counted]


def test_a_stage_that_gave_two_results_exits_with_1_and_names_both(run_unstable, unstable):
    done = run_unstable()
    assert done.exit_code == 1
    runs = {
        str(file): re.search(r"path: draw.bin\n +hash: md5\n +md5: (\S+)", file.read_text())[1]
        for file in (unstable.folder / ".dvc/cache/runs").glob("*/*/*")
        if "draw.bin" in file.read_text()
    }
    newest, oldest = sorted(runs, key=lambda path: Path(path).stat().st_mtime, reverse=True)
    output = done.stdout.splitlines()
    assert output[0].startswith("`python -c ")
    assert output[0].endswith(
        "` of stage `draw` gave different outputs from the same dependencies and parameters; DVC restores the newest:"
    )
    for lines, path in ((output[1:4], newest), (output[4:7], oldest)):
        assert lines[0] == f"  {path}"
        assert re.fullmatch(r"    written \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", lines[1])
        assert lines[2] == f"    draw.bin: {runs[path]}"
    assert output[7].startswith("hint: run `dvc repro --single-item --force draw`, ")
    assert output[-1] == f"{unstable.folder}/.dvc/cache/runs: 3 runs recorded, of them 2 in conflict"


def test_json_says_which_runs_differ(run_unstable, unstable):
    done = run_unstable("--json")
    assert done.exit_code == 1
    result = json.loads(done.stdout)
    assert result["passed"] is False
    found = result["run_cache"]
    assert (found["folder"], found["recorded"], found["damaged"]) == (f"{unstable.folder}/.dvc/cache/runs", 3, [])
    [conflict] = found["conflicts"]
    assert set(conflict) == {"key", "command", "stage", "outputs", "runs", "hint"}
    assert (conflict["stage"], conflict["outputs"], len(conflict["runs"])) == ("draw", ["draw.bin"], 2)


def test_a_damaged_run_is_named_with_the_command_that_removes_it(run, pushed):
    file = next((pushed.folder / ".dvc/cache/runs").glob("*/*/*"))
    file.write_bytes(b"\xff")
    done = run("--local")
    assert done.exit_code == 1
    assert f"`{file}` in the run cache is damaged: it is not an entry as in `dvc.lock`\n" in done.stdout
    assert f"hint: remove it: `rm -r {file}`; " in done.stdout
    assert done.stdout.endswith(" recorded, of them 1 damaged\n")


@pytest.mark.slow
def test_an_unreachable_bucket_is_one_message_that_says_how_long_it_waited(toy):
    toy.local("core", remote="gone")
    toy.local(
        "'remote \"gone\"'", url="gs://gone/store", endpointurl="http://127.0.0.1:9", allow_anonymous_login="true"
    )
    program = "from gogooku3.cli import main; main(['audit'])"
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=toy.folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 7
    error, hint = done.stderr.strip().splitlines()
    assert error.startswith("error: `gs://gone/store` gives no answer in 10 s: Cannot connect to host 127.0.0.1:9")
    assert hint.startswith("hint: ")
    assert done.stdout == ""
