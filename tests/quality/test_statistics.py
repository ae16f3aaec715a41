"""Counts of a dataset, against its files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gogooku3.dataset.contents import CONTENTS
from gogooku3.errors import DataError, MismatchError
from gogooku3.quality.statistics import collect
from gogooku3.quality.tables import by_feature, by_month

from .conftest import QUOTES, Harm, surveyed


@pytest.fixture(scope="module")
def whole(sound: Path) -> pl.DataFrame:
    return pl.concat(pl.read_parquet(path) for path in sorted((sound / "features").iterdir()))


def test_a_row_per_month(sound: Path, whole: pl.DataFrame) -> None:
    months = by_month(surveyed(sound))
    by_date = whole.group_by(month=pl.col("Date").dt.to_string("%Y-%m")).agg(
        sessions=pl.col("Date").n_unique(), stocks=pl.col("Code").n_unique(), bars=pl.len()
    )
    counted = months.select("month", "sessions", "stocks", "bars")
    assert counted.cast({"bars": pl.UInt32}).equals(
        by_date.sort("month").cast({"sessions": pl.Int64, "stocks": pl.Int64})
    )
    targets = pl.concat(pl.read_parquet(path) for path in sorted((sound / "targets").iterdir()))
    assert months["target_5"].to_list() == [1.0] * 16
    assert targets["target_5"].is_nan().sum() == 5 * 40  # the last five sessions, whose future is not there
    assert months["graphs"].sum() == len(range(20, 330, 5))
    assert months["edges"].drop_nans().to_list() == [3.0] * 15
    assert np.isnan(months["linked"][0])


def test_a_row_per_feature(sound: Path, whole: pl.DataFrame) -> None:
    for row in by_feature(surveyed(sound)).to_dicts():
        values = whole[row["feature"]].to_numpy()
        known = values[~np.isnan(values)]
        assert row["missing"] == pytest.approx(np.isnan(values).mean())
        assert (row["low"], row["high"]) == (known.min(), known.max())
        assert row["lost"] < 0.01
        if row["family"] not in ("rank", "calendar", "climate"):
            assert row["clipped"] == pytest.approx((np.abs(known) == 5.0).mean())


def test_a_dataset_that_is_not_what_was_written_is_refused(harm: Harm) -> None:
    folder = harm(lambda frame: frame)
    path = folder / "features/2021-11.parquet"
    pl.read_parquet(path).with_columns(pl.col("ret_5") + 1).write_parquet(path)
    with pytest.raises(MismatchError, match=r"2021-11\.parquet` has other values than were written"):
        surveyed(folder)


def test_a_folder_without_features_is_refused(harm: Harm) -> None:
    folder = harm(lambda frame: frame)
    for path in folder.rglob("*.parquet"):
        path.unlink()
    (folder / CONTENTS).write_text("{}")
    with pytest.raises(DataError, match="has no month of features"):
        collect(folder, QUOTES)
