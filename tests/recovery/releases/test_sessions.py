"""Sessions of every version are read with the columns that it wrote; an invalid table is an error."""

from __future__ import annotations

import subprocess
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from gogooku3.errors import DataError
from gogooku3.recovery.releases import sessions

DAY = "2024-01-04"


def test_a_table_has_the_columns_that_its_version_wrote() -> None:
    found = sessions.parse(f"Date,net,rank_ic_5,note\n{DAY},1,NaN,a\n2024-01-05,NaN,,b\n")
    assert found is not None
    dates = pl.Series(["2024-01-04", "2024-01-05"]).str.to_date()
    expected = {"Date": dates, "net": [1.0, float("nan")], "rank_ic_5": [float("nan"), None], "note": ["a", "b"]}
    assert_frame_equal(found, pl.DataFrame(expected))
    without = sessions.parse(f"Date,net\n{DAY},0.5\n")
    assert without is not None
    assert without.columns == ["Date", "net"]


def test_a_table_without_returns_is_none() -> None:
    assert sessions.parse(f"Date,rank_ic_5\n{DAY},0.5\n") is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty CSV"),
        ("{}", "no column `Date` of dates"),
        ("net\n0.5\n", "no column `Date` of dates"),
        ("Date,net\nlate,0.5\n", "no column `Date` of dates"),
        (f"Date,net\n{DAY},high\n", "conversion from `str` to `f64` failed in column 'net'"),
        (f"Date,net\n{DAY},1,2\n", "found more fields than defined"),
        (f"Date,net,rank_ic_mean\n{DAY},1,2\n", "invalid literal for int"),
        (f"Date,net\n{DAY},\udcff\n", "'utf-8' codec can't encode"),
    ],
)
def test_an_invalid_table_is_an_error(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=f"^not a table of sessions: {says}"):
        sessions.parse(text)


def test_a_revision_has_its_own_or_none_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "--quiet")
    path = tmp_path / "metrics/sessions/test.csv"
    path.parent.mkdir(parents=True)
    revisions = []
    for text in (f"Date,net\n{DAY},0.5\n", "<<<<<<< HEAD\nDate,net\n"):
        path.write_text(text)
        git("add", "--all")
        git("-c", "user.name=Test", "-c", "user.email=test@example.com", "commit", "--quiet", "--message", "Sessions")
        revisions.append(git("rev-parse", "HEAD"))
    whole, damaged = revisions
    found = sessions.read(tmp_path, whole, "test")
    assert found is not None
    assert found["net"].to_list() == [0.5]
    assert sessions.read(tmp_path, whole, "validation") is None
    with pytest.raises(DataError) as refused:
        sessions.read(tmp_path, damaged, "test")
    assert refused.value.message.startswith(f"`metrics/sessions/test.csv` of `{damaged}` is not a table of sessions: ")
    assert f"git log {damaged} -- metrics/sessions/test.csv" in refused.value.hint
