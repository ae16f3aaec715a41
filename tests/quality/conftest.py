"""A sound dataset from the real builder, and a hand that does harm to copies of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gogooku3.assembly.build import build
from gogooku3.config.dataset import Dataset, Graph, Joined, Split
from gogooku3.dataset.contents import CONTENTS, write_frame
from gogooku3.quality.checks import judge
from gogooku3.quality.finding import Finding
from gogooku3.quality.statistics import Statistics, collect

from ..assembly.conftest import random_frames

QUOTES: dict[str, Any] = {"rules": {"missing_value": {"policy": "drop", "count": 0, "dropped": 0, "examples": []}}}
"""What quotes report whose bars broke no rule."""

Change = Callable[[pl.DataFrame], pl.DataFrame]
Harm = Callable[..., Path]


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of 330 sessions of 40 stocks, from 2021-01 to 2022-04; prices in yen, so that some do not move."""
    params = Dataset(
        features="core",
        clip=5.0,
        horizons=[1, 5],
        graph=Graph(window=20, neighbours=3, refresh=5),
        joined=Joined(folder="", tables={}),
        split=Split(
            train_from=date(2021, 1, 4), validation_from=date(2022, 1, 24), test_from=date(2022, 2, 21), embargo=5
        ),
    )
    folder = tmp_path_factory.mktemp("sound") / "dataset"
    frames = random_frames(stocks=40)
    in_yen = frames.bars.with_columns(pl.col("Open", "High", "Low", "Close").round())
    build(frames.with_bars(in_yen).history(), params, folder)
    return folder


@pytest.fixture
def harm(sound: Path, tmp_path: Path) -> Harm:
    """Changes the files of one kind, of all months or one, in a copy whose table of contents then lists them so."""
    copy = Path(shutil.copytree(sound, tmp_path / "dataset"))

    def harmed(change: Change, month: str = "*", kind: str = "features") -> Path:
        contents = json.loads((copy / CONTENTS).read_text())
        for path in sorted(copy.glob(f"{kind}/{month}.parquet")):
            frame = change(pl.read_parquet(path))
            contents[path.relative_to(copy).as_posix()] = write_frame(frame, path)
        (copy / CONTENTS).write_text(json.dumps(contents))
        return copy

    return harmed


def surveyed(folder: Path, quotes: dict[str, Any] = QUOTES) -> Statistics:
    return collect(folder, quotes)


def findings(folder: Path, quotes: dict[str, Any] = QUOTES) -> list[Finding]:
    """What all checks find."""
    return [finding for each in judge(surveyed(folder, quotes)).values() for finding in each]
