"""The stage `quality`: its outputs, its message, and the previous report after an error."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from gogooku3.config import Params
from gogooku3.errors import DataError
from gogooku3.stages.quality import run

from ..quality.conftest import QUOTES, Harm


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Path]:
    """Copies a dataset to the path that the stage reads."""

    def placed(dataset: Path) -> Path:
        root = tmp_path / "root"
        shutil.copytree(dataset, root / "data/dataset")
        (root / "data/quotes").mkdir()
        (root / "data/quotes/rules.json").write_text(json.dumps(QUOTES))
        monkeypatch.chdir(root)
        return root

    return placed


def test_a_sound_dataset_prints_nothing(
    place: Callable[[Path], Path], sound: Path, demo: Params, capsys: pytest.CaptureFixture[str]
) -> None:
    root = place(sound)
    run(demo)
    assert sorted(path.name for path in (root / "reports").iterdir()) == ["data_quality.html", "data_quality.json"]
    assert capsys.readouterr().err == ""


def test_an_error_is_reported_and_does_not_fail_the_stage(
    place: Callable[[Path], Path], harm: Harm, demo: Params, capsys: pytest.CaptureFixture[str]
) -> None:
    place(harm(lambda frame: frame.with_columns(ret_5=pl.lit(0.7, pl.Float32))))
    run(demo)
    assert capsys.readouterr().err == "1 error in the dataset: see reports/data_quality.html\n"


def test_a_dataset_that_cannot_be_read_leaves_the_last_report(
    place: Callable[[Path], Path], sound: Path, demo: Params
) -> None:
    root = place(sound)
    run(demo)
    before = {path: path.read_bytes() for path in (root / "reports").iterdir()}
    (root / "data/dataset/features/2021-11.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"2021-11\.parquet` cannot be read"):
        run(demo)
    assert {path: path.read_bytes() for path in (root / "reports").iterdir()} == before
