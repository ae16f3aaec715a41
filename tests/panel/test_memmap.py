from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import gogooku3
from gogooku3.errors import MachineError, MismatchError
from gogooku3.panel.panel import Panel, read_panel
from gogooku3.runtime.files import sha256_frame

ARRAYS = ("x_TSF", "present_TS", "y_TSH", "neighbours_GSK", "edges_GSKE", "graph_of_T")
MONTH = "features/2022-03.parquet"


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "dataset"))


def _cache_entries(dataset: Path) -> list[Path]:
    return sorted(path for path in dataset.with_name(".dataset.panel").iterdir() if path.is_dir())


def _same(panel: Panel, other: Panel) -> bool:
    return all(np.array_equal(getattr(panel, name), getattr(other, name), equal_nan=True) for name in ARRAYS[:3]) and (
        all(np.array_equal(getattr(panel, name), getattr(other, name)) for name in ARRAYS[3:])
    )


def _rewrite_undetected(path: Path) -> None:
    """Changes the bytes, but not size, inode and modification time."""
    stat = path.stat()
    with path.open("r+b") as stream:
        stream.write(bytes(stat.st_size))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_the_arrays_stay_on_disk(copy: Path) -> None:
    x_TSF = read_panel(copy).x_TSF
    assert isinstance(x_TSF, np.memmap)
    assert Path(x_TSF.filename).parent == _cache_entries(copy)[0]


def test_writing_into_an_array_does_not_reach_the_disk(copy: Path) -> None:
    read_panel(copy).x_TSF[:] = 7.0
    assert not (read_panel(copy).x_TSF == 7.0).any()


def test_the_second_opening_decodes_no_feature(copy: Path) -> None:
    before = read_panel(copy)
    for name in json.loads((copy / "contents.json").read_text()):
        _rewrite_undetected(copy / name)
    assert _same(read_panel(copy), before)


def test_a_modified_file_is_read_again(copy: Path) -> None:
    before = read_panel(copy)
    os.utime(copy / MONTH)
    assert _same(read_panel(copy), before)
    pl.read_parquet(copy / MONTH).with_columns(pl.col("ret_5") + 1).write_parquet(copy / MONTH)
    with pytest.raises(MismatchError, match=r"2022-03\.parquet` has other values than were written"):
        read_panel(copy)


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_a_damaged_array_is_rewritten(copy: Path, name: str, damage: str) -> None:
    before = read_panel(copy)
    path = _cache_entries(copy)[0] / f"{name}.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.unlink()
    if damage != "remove":
        path.write_bytes(content if damage == "flip" else content[:-4])
    assert _same(read_panel(copy), before)


def test_another_dataset_at_the_same_path_has_its_own_cache_entry(copy: Path) -> None:
    before = read_panel(copy)
    frame = pl.read_parquet(copy / MONTH).with_columns(pl.col("ret_5") * 0.5)
    frame.write_parquet(copy / MONTH)
    contents = json.loads((copy / "contents.json").read_text())
    contents[MONTH]["sha256"] = sha256_frame(frame)
    (copy / "contents.json").write_text(json.dumps(contents))
    assert not _same(read_panel(copy), before)


def test_the_two_last_used_cache_entries_are_kept(copy: Path) -> None:
    own = json.loads((copy / "preprocess.json").read_text())
    mean = own["session"]["weekday_sin"]["mean"]

    def opened(moved: float) -> set[Path]:
        fitted = own["session"]["weekday_sin"] | {"mean": mean + moved}
        read_panel(copy, own | {"session": own["session"] | {"weekday_sin": fitted}})
        return set(_cache_entries(copy))

    first = opened(0.0)
    two = opened(1.0)
    assert len(two) == 2
    opened(0.0)
    assert opened(2.0) & two == first


@pytest.mark.parametrize("module", ["panel/memmap.py", "dataset/normalise.py"])
def test_changed_code_is_a_cache_miss(copy: Path, tmp_path: Path, module: str) -> None:
    read_panel(copy)
    package = Path(shutil.copytree(Path(gogooku3.__file__).parent, tmp_path / "other/gogooku3"))
    with (package / module).open("a") as code:
        code.write("# an edit\n")
    environment = os.environ | {"PYTHONPATH": str(package.parent)}
    script = (
        "import sys; from pathlib import Path; from gogooku3.panel.panel import read_panel as r; r(Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", script, str(copy)], env=environment, check=True)
    assert len(_cache_entries(copy)) == 2


def _opening(dataset: Path) -> subprocess.Popen[str]:
    """A process that waits for an input line, opens the panel and prints the sum of its features."""
    script = f"""
import numpy as np
from pathlib import Path
from gogooku3.panel.panel import read_panel
input()
print(float(np.nansum(read_panel(Path({str(dataset)!r})).x_TSF)))
"""
    return subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_two_processes_that_open_at_once_get_the_same_arrays(copy: Path) -> None:
    with _opening(copy) as one, _opening(copy) as two:
        for process in (one, two):
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        sums = [process.communicate(timeout=300)[0] for process in (one, two)]
    assert sums == [f"{float(np.nansum(read_panel(copy).x_TSF))}\n"] * 2
    assert len(_cache_entries(copy)) == 1


def test_a_killed_write_leaves_no_cache_entry(copy: Path, folder: Path) -> None:
    root = copy.with_name(".dataset.panel")
    with _opening(copy) as process:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        while process.poll() is None and not any(root.glob("*.partial/x_TSF.npy")):
            time.sleep(0.001)
        process.kill()
    assert any(root.glob("*.partial"))
    assert _same(read_panel(copy), read_panel(folder))
    assert not any(root.glob("*.partial"))


def test_an_unwritable_folder_is_one_clear_error(copy: Path) -> None:
    copy.with_name(".dataset.panel").write_text("a file in place of the folder")
    with pytest.raises(MachineError, match="cannot be written to"):
        read_panel(copy)
