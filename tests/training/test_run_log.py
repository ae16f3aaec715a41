"""The files of a run: named by what determines it, continued after a stop, never mixed with those of another run."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from gogooku3.objective import MEAN_RANK_IC
from gogooku3.recovery.provenance.runs import PhaseRun
from gogooku3.training.checkpoints import Checkpoints
from gogooku3.training.history import Epoch, History
from gogooku3.training.run_log import BOUND, RunLog, finish

HISTORY = History(
    "gat",
    MEAN_RANK_IC,
    epochs=[
        Epoch(0, 1, 0.5, validation_rank_ic=0.25, validation_rank_ic_by_horizon={"1": 0.25}, validation_sharpe=0.5)
    ],
)

log = logging.getLogger("gogooku3.test")


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    folder = tmp_path / "models/gat"
    folder.mkdir(parents=True)
    for name in BOUND:
        (folder / name).write_text(name)
    return folder


def train(logs: Path, line: str, run: str = "abc", samples: int = 10) -> None:
    with RunLog(logs, "gat", run) as run_log:
        log.info(line)
        run_log.step(samples)


def timing(logs: Path, name: str) -> dict[str, Any]:
    return dict(json.loads((logs / name).read_text()))


def test_a_stopped_run_continues_its_files_and_the_next_run_gets_its_own(tmp_path: Path, outputs: Path) -> None:
    train(tmp_path, "first")
    train(tmp_path, "second", samples=5)
    finish(tmp_path, "gat", "abc", outputs)
    train(tmp_path, "again")
    train(tmp_path, "other", run="def")
    assert {path.name for path in tmp_path.glob("gat-*")} == {
        f"gat-{name}.{ending}" for name in ("abc", "abc-2", "def") for ending in ("log", "json")
    }
    texts = {name: (tmp_path / f"gat-{name}.log").read_text() for name in ("abc", "abc-2", "def")}
    assert [line.rpartition(" ")[2] for line in texts["abc"].splitlines()] == ["first", "second"]
    assert texts["abc-2"].endswith("again\n")
    assert texts["def"].endswith("other\n")
    found = timing(tmp_path, "gat-abc.json")
    assert [(part["steps"], part["samples"]) for part in found["segments"]] == [(1, 10), (1, 5)]
    assert found["outputs"] == {name: hashlib.md5(name.encode()).hexdigest() for name in BOUND}
    assert "outputs" not in timing(tmp_path, "gat-abc-2.json")
    PhaseRun(found["segments"], found["outputs"])


def test_a_killed_run_keeps_the_time_until_its_last_epoch(tmp_path: Path) -> None:
    run_log = RunLog(tmp_path, "gat", "abc").__enter__()
    run_log.step(10)
    run_log.validated(HISTORY)
    run_log.step(10)
    assert [part["samples"] for part in timing(tmp_path, "gat-abc.json")["segments"]] == [10]
    HISTORY.write_curve(tmp_path / "expected.csv")
    assert (tmp_path / "gat-abc.csv").read_bytes() == (tmp_path / "expected.csv").read_bytes()
    run_log.__exit__(None, None, None)


def test_a_run_is_what_determines_it(tmp_path: Path) -> None:
    one, same, other = (Checkpoints(tmp_path / "gat", {"seed": seed, "b": 1}) for seed in (1, 1, 2))
    assert one.run == same.run == Checkpoints(tmp_path / "x", {"b": 1, "seed": 1}).run != other.run


def test_files_that_cannot_be_written_or_read_do_not_stop_training(tmp_path: Path, outputs: Path) -> None:
    (tmp_path / "logs").write_text("a file in place of the folder")
    train(tmp_path / "logs", "unheard")
    finish(tmp_path / "logs", "gat", "abc", outputs)
    (tmp_path / "gat-abc.json").write_text("{damaged")
    train(tmp_path, "heard")
    assert len(timing(tmp_path, "gat-abc.json")["segments"]) == 1


def test_a_process_that_does_not_write_makes_no_file(tmp_path: Path) -> None:
    with RunLog(tmp_path, "gat", "abc", writes=False) as run_log:
        run_log.step(10)
        run_log.validated(HISTORY)
    assert list(tmp_path.iterdir()) == []
