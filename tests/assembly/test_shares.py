"""Shares of the work, by real processes in one folder or in several: the same bytes, and nothing made twice."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from omegaconf import OmegaConf

from gogooku3.cli import main
from gogooku3.runtime.files import write_parquet

ROOT = Path(__file__).parents[2]
WORKSHOP = ".dataset.partial"


def write_params(folder: Path, **dataset: Any) -> None:
    """The demo's parameters for the sessions of `frames`."""
    params = OmegaConf.load(ROOT / "params.yaml")
    split = {"train_from": "2021-01-04", "validation_from": "2022-01-24", "test_from": "2022-02-21"}
    small = {
        "horizons": [1, 5],
        "split": split | {"embargo": 5},
        "graph": {"window": 20, "neighbours": 3, "refresh": 5},
    }
    weights = {"train": {"recipe": {"loss": {"horizons": [1.0, 1.0]}}}}
    OmegaConf.save(OmegaConf.merge(params, weights, {"dataset": small | dataset}), folder / "params.yaml")


def start(folder: Path, *command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", *command], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def make(folder: Path, share: str) -> subprocess.Popen[str]:
    return start(folder, "gogooku3.cli", "dataset", "make", "--share", share)


def end(process: subprocess.Popen[str]) -> str:
    told, error = process.communicate()
    assert process.returncode == 0, error
    return told


def put_together(folder: Path) -> dict[str, bytes]:
    """The dataset that the stage delivers."""
    end(start(folder, "gogooku3.stages", "dataset"))
    root = folder / "data/dataset"
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*.*"))}


def places(folder: Path) -> dict[str, tuple[int, int]]:
    """Where each file of features and graphs lies on disk, and when it was written: what was made again, moves."""
    files = [path for kind in ("features", "graph") for path in sorted((folder / kind).glob("*.parquet"))]
    return {f"{path.parent.name}/{path.name}": (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


@pytest.fixture(scope="module")
def quotes(frames: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which nothing but the quotes were made. To be copied."""
    folder = tmp_path_factory.mktemp("machine")
    for name in ("bars", "listed", "index"):
        write_parquet(getattr(frames, name), folder / f"data/quotes/{name}.parquet")
    write_params(folder)
    return folder


@pytest.fixture(scope="module")
def at_once(quotes: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The dataset that one process makes alone."""
    folder = tmp_path_factory.mktemp("alone") / "machine"
    shutil.copytree(quotes, folder)
    return put_together(folder)


@pytest.fixture
def machine(quotes: Path, tmp_path: Path) -> Path:
    return shutil.copytree(quotes, tmp_path / "machine")


def test_two_processes_in_one_folder_make_what_one_makes(machine: Path, at_once: dict[str, bytes]) -> None:
    shares = [make(machine, share) for share in ("1/2", "2/2")]
    assert {end(process).split(": ")[-1].strip() for process in shares} == {
        "2021-01 to 2021-12",
        "2022-01 to 2022-04",
    }
    before = places(machine / "data" / WORKSHOP / "whole")
    assert len([name for name in before if name.startswith("features/")]) == 16
    assert put_together(machine) == at_once
    assert places(machine / "data/dataset") == before


def test_the_months_of_two_machines_are_taken_over(machine: Path, quotes: Path, at_once: dict[str, bytes]) -> None:
    other = shutil.copytree(quotes, machine.parent / "other")
    processes = [make(machine, "1/2"), make(other, "2/2")]
    for process in processes:
        end(process)
    assert len(places(machine / "data" / WORKSHOP / "whole")) < len(at_once) / 2
    subprocess.run(
        ["cp", "--archive", "--update", f"{other / 'data' / WORKSHOP}/.", machine / "data" / WORKSHOP], check=True
    )
    before = places(machine / "data" / WORKSHOP / "whole")
    assert put_together(machine) == at_once
    assert places(machine / "data/dataset") == before


def test_a_file_that_was_not_copied_whole_is_made_again_and_no_other(machine: Path, at_once: dict[str, bytes]) -> None:
    end(make(machine, "1/1"))
    whole = machine / "data" / WORKSHOP / "whole"
    cut, lost = whole / "features/2021-05.parquet", whole / "graph/2022-02.parquet"
    cut.write_bytes(cut.read_bytes()[:-100])
    lost.unlink()
    before = places(whole)
    assert put_together(machine) == at_once
    after = places(machine / "data/dataset")
    moved = {name for name in after if after[name] != before.get(name)}
    assert {"features/2021-05.parquet", "graph/2022-02.parquet"} <= moved
    assert {name.split("/")[1] for name in moved} == {"2021-05.parquet", "2022-02.parquet"}


def test_months_made_with_other_parameters_or_bars_are_not_taken_over(
    machine: Path, quotes: Path, frames: Any, at_once: dict[str, bytes]
) -> None:
    other = shutil.copytree(quotes, machine.parent / "other")
    write_params(other, clip=3.0)
    third = shutil.copytree(quotes, machine.parent / "third")
    bars = frames.bars.with_columns(Volume=frames.bars["Volume"] + 100.0)
    write_parquet(bars, third / "data/quotes/bars.parquet")
    processes = [make(other, "1/2"), make(third, "2/2")]
    for process in processes:
        end(process)
    for folder in (other, third):
        shutil.copytree(folder / "data" / WORKSHOP, machine / "data" / WORKSHOP, dirs_exist_ok=True)
    assert len(places(machine / "data" / WORKSHOP / "whole")) > 16
    assert put_together(machine) == at_once


def test_processes_that_take_the_same_share_make_it_once(machine: Path, at_once: dict[str, bytes]) -> None:
    processes = [make(machine, "1/1") for _ in range(2)]
    while all(process.poll() is None for process in processes):
        time.sleep(0.01)
    whole = machine / "data" / WORKSHOP / "whole"
    when_the_first_was_done = places(whole)
    assert len({end(process) for process in processes}) == 1
    assert places(whole) == when_the_first_was_done
    assert put_together(machine) == at_once


def test_the_stage_waits_for_a_share_that_is_at_work(machine: Path, at_once: dict[str, bytes]) -> None:
    share = make(machine, "2/2")
    turns = machine / "data" / WORKSHOP / "turns/2022"
    while not turns.exists():
        assert share.poll() is None or turns.exists()
        time.sleep(0.01)
    assert put_together(machine) == at_once
    end(share)


def test_a_share_that_was_killed_is_finished_by_whoever_comes_next(machine: Path, at_once: dict[str, bytes]) -> None:
    share = make(machine, "1/2")
    records = machine / "data" / WORKSHOP / "months"
    while not (records.is_dir() and list(records.glob("*.json"))):
        assert share.poll() is None
        time.sleep(0.01)
    share.kill()
    share.communicate()
    done = {path.stem for path in records.glob("*.json")}
    assert 0 < len(done) < 12
    before = places(machine / "data" / WORKSHOP / "whole")
    assert put_together(machine) == at_once
    after = places(machine / "data/dataset")
    assert all(after[f"features/{month}.parquet"] == before[f"features/{month}.parquet"] for month in done)


def test_a_share_beyond_the_last_year_has_no_months(machine: Path) -> None:
    told = start(machine, "gogooku3.cli", "dataset", "make", "--share", "3/3", "--json")
    assert json.loads(end(told)) == {"share": 3, "shares": 3, "months": [], "folder": f"data/{WORKSHOP}"}


@pytest.mark.parametrize("share", ["0/2", "3/2", "2", "1/0", "-1/2", "a/b"])
def test_what_is_no_share_is_refused(share: str) -> None:
    done = CliRunner().invoke(main, ["dataset", "make", f"--share={share}"])
    assert done.exit_code == 2
    assert f"`{share}` is no share" in done.stderr


def test_without_quotes_a_share_ends_in_one_error(machine: Path) -> None:
    shutil.rmtree(machine / "data/quotes")
    process = make(machine, "1/1")
    _, error = process.communicate()
    assert process.returncode == 3
    assert error.startswith("error: `data/quotes/bars.parquet` does not exist\nhint: ")
    assert not (machine / "data" / WORKSHOP).exists()
