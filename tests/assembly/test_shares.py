"""Shares of a build by real processes, in one folder or several: the same bytes, and nothing is built twice."""

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
BUILD_FOLDER = ".dataset.partial"


def write_params(folder: Path, **dataset: Any) -> None:
    """The demo's parameters for the sessions of `frames`."""
    params = OmegaConf.load(ROOT / "params.yaml")
    split = {"train_from": "2021-01-04", "validation_from": "2022-01-11", "test_from": "2022-02-21"}
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
    output, error = process.communicate()
    assert process.returncode == 0, error
    return output


def assemble(folder: Path) -> dict[str, bytes]:
    """Runs the stage `dataset`; returns its files."""
    end(start(folder, "gogooku3.stages", "dataset"))
    root = folder / "data/dataset"
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*.*"))}


def file_ids(folder: Path) -> dict[str, tuple[int, int]]:
    """Inode and modification time of each features and graph file, which change if the file is rebuilt."""
    files = [path for kind in ("features", "graph") for path in sorted((folder / kind).glob("*.parquet"))]
    return {f"{path.parent.name}/{path.name}": (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


@pytest.fixture(scope="module")
def quotes(frames: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A template folder with only the quotes; tests copy it."""
    folder = tmp_path_factory.mktemp("machine")
    for name in ("bars", "listed", "index"):
        write_parquet(getattr(frames, name), folder / f"data/quotes/{name}.parquet")
    write_params(folder)
    return folder


@pytest.fixture(scope="module")
def single_process(quotes: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The dataset that a single process builds."""
    folder = tmp_path_factory.mktemp("single") / "machine"
    shutil.copytree(quotes, folder)
    return assemble(folder)


@pytest.fixture
def machine(quotes: Path, tmp_path: Path) -> Path:
    return shutil.copytree(quotes, tmp_path / "machine")


def test_two_processes_in_one_folder_build_the_same_dataset(machine: Path, single_process: dict[str, bytes]) -> None:
    shares = [make(machine, share) for share in ("1/2", "2/2")]
    assert {end(process).split(": ")[-1].strip() for process in shares} == {
        "2021-01 to 2021-12",
        "2022-01 to 2022-04",
    }
    before = file_ids(machine / "data" / BUILD_FOLDER / "whole")
    assert len([name for name in before if name.startswith("features/")]) == 16
    assert assemble(machine) == single_process
    assert file_ids(machine / "data/dataset") == before


@pytest.mark.slow
def test_the_months_of_two_machines_are_reused(machine: Path, quotes: Path, single_process: dict[str, bytes]) -> None:
    other = shutil.copytree(quotes, machine.parent / "other")
    processes = [make(machine, "1/2"), make(other, "2/2")]
    for process in processes:
        end(process)
    assert len(file_ids(machine / "data" / BUILD_FOLDER / "whole")) < len(single_process) / 2
    subprocess.run(
        ["cp", "--archive", "--update", f"{other / 'data' / BUILD_FOLDER}/.", machine / "data" / BUILD_FOLDER],
        check=True,
    )
    before = file_ids(machine / "data" / BUILD_FOLDER / "whole")
    assert assemble(machine) == single_process
    assert file_ids(machine / "data/dataset") == before


@pytest.mark.slow
def test_only_an_incompletely_copied_file_is_rebuilt(machine: Path, single_process: dict[str, bytes]) -> None:
    end(make(machine, "1/1"))
    whole = machine / "data" / BUILD_FOLDER / "whole"
    cut, lost = whole / "features/2021-05.parquet", whole / "graph/2022-02.parquet"
    cut.write_bytes(cut.read_bytes()[:-100])
    lost.unlink()
    before = file_ids(whole)
    assert assemble(machine) == single_process
    after = file_ids(machine / "data/dataset")
    rebuilt = {name for name in after if after[name] != before.get(name)}
    assert {"features/2021-05.parquet", "graph/2022-02.parquet"} <= rebuilt
    assert {name.split("/")[1] for name in rebuilt} == {"2021-05.parquet", "2022-02.parquet"}


@pytest.mark.slow
def test_months_with_other_parameters_or_bars_are_not_reused(
    machine: Path, quotes: Path, frames: Any, single_process: dict[str, bytes]
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
        shutil.copytree(folder / "data" / BUILD_FOLDER, machine / "data" / BUILD_FOLDER, dirs_exist_ok=True)
    assert len(file_ids(machine / "data" / BUILD_FOLDER / "whole")) > 16
    assert assemble(machine) == single_process


@pytest.mark.slow
def test_two_processes_with_the_same_share_build_it_once(machine: Path, single_process: dict[str, bytes]) -> None:
    processes = [make(machine, "1/1") for _ in range(2)]
    while all(process.poll() is None for process in processes):
        time.sleep(0.01)
    whole = machine / "data" / BUILD_FOLDER / "whole"
    after_the_first = file_ids(whole)
    assert len({end(process) for process in processes}) == 1
    assert file_ids(whole) == after_the_first
    assert assemble(machine) == single_process


@pytest.mark.slow
def test_the_stage_waits_for_a_share_in_progress(machine: Path, single_process: dict[str, bytes]) -> None:
    share = make(machine, "2/2")
    lock = machine / "data" / BUILD_FOLDER / "turns/2022"
    while not lock.exists():
        assert share.poll() is None or lock.exists()
        time.sleep(0.01)
    assert assemble(machine) == single_process
    end(share)


@pytest.mark.slow
def test_the_next_run_finishes_a_killed_share(machine: Path, single_process: dict[str, bytes]) -> None:
    share = make(machine, "1/2")
    records = machine / "data" / BUILD_FOLDER / "months"
    while not (records.is_dir() and list(records.glob("*.json"))):
        assert share.poll() is None
        time.sleep(0.01)
    share.kill()
    share.communicate()
    done = {path.stem for path in records.glob("*.json")}
    assert 0 < len(done) < 12
    before = file_ids(machine / "data" / BUILD_FOLDER / "whole")
    assert assemble(machine) == single_process
    after = file_ids(machine / "data/dataset")
    assert all(after[f"features/{month}.parquet"] == before[f"features/{month}.parquet"] for month in done)


def test_a_share_beyond_the_last_year_has_no_months(machine: Path) -> None:
    process = start(machine, "gogooku3.cli", "dataset", "make", "--share", "3/3", "--json")
    assert json.loads(end(process)) == {"share": 3, "shares": 3, "months": [], "folder": f"data/{BUILD_FOLDER}"}


@pytest.mark.parametrize("share", ["0/2", "3/2", "2", "1/0", "-1/2", "a/b"])
def test_an_invalid_share_is_refused(share: str) -> None:
    done = CliRunner().invoke(main, ["dataset", "make", f"--share={share}"])
    assert done.exit_code == 2
    assert f"`{share}` is not a share" in done.stderr


def test_a_share_without_quotes_is_one_error(machine: Path) -> None:
    shutil.rmtree(machine / "data/quotes")
    process = make(machine, "1/1")
    _, error = process.communicate()
    assert process.returncode == 3
    assert error.startswith("error: `data/quotes/bars.parquet` does not exist\nhint: ")
    assert not (machine / "data" / BUILD_FOLDER).exists()
