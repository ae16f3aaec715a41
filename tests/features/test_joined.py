"""As-of join of tables: point-in-time values, and errors for invalid tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from omegaconf import OmegaConf

from gogooku3 import config
from gogooku3.assembly import workers
from gogooku3.assembly.build import build
from gogooku3.assembly.history import History
from gogooku3.config.dataset import Dataset, Joined, JoinedTable
from gogooku3.dataset.normalise import robust_z
from gogooku3.dataset.schema import Schema
from gogooku3.errors import ConfigError, DataError
from gogooku3.features.asof import AsOf
from gogooku3.features.registry import chosen, select
from gogooku3.panel.panel import read_panel
from gogooku3.runtime.files import write_parquet

# 2024-01-04 is a Thursday; the 8th is a Monday, and a holiday.
SESSIONS = np.array([f"2024-01-{day:02}" for day in (4, 5, 9, 10, 11, 12, 15)], "datetime64[D]")
NAN = float("nan")


def rows(*published: tuple[str, int, float]) -> pl.DataFrame:
    """Code, day of January 2024 and value of each row."""
    frame = pl.DataFrame(published, ["Code", "Published", "Value"], orient="row")
    return frame.with_columns(pl.col("Published").map_elements(lambda day: date(2024, 1, day), pl.Date))


def known(published: pl.DataFrame, lag: int = 1, stale_after: int | None = None, code: str = "1301") -> list[float]:
    """The values of a stock at each session."""
    as_of = AsOf.of(published, SESSIONS, lag, stale_after)
    return as_of.at(SESSIONS, ("0", code, "9"))[:, 1].tolist()


def assert_known(found: list[float], expected: list[float]) -> None:
    np.testing.assert_array_equal(found, expected)


def test_a_row_is_known_from_the_session_after_its_publication() -> None:
    assert_known(known(rows(("1301", 5, 7.0))), [NAN, NAN, 7, 7, 7, 7, 7])


@pytest.mark.parametrize("day", [6, 7, 8])
def test_a_row_published_on_a_day_without_a_session_is_known_from_the_next_one(day: int) -> None:
    for lag in (0, 1):
        assert_known(known(rows(("1301", day, 7.0)), lag), [NAN, NAN, 7, 7, 7, 7, 7])
    assert_known(known(rows(("1301", day, 7.0)), 2), [NAN, NAN, NAN, 7, 7, 7, 7])


def test_a_lag_counts_sessions_and_zero_means_the_same_day() -> None:
    assert_known(known(rows(("1301", 5, 7.0)), 0), [NAN, 7, 7, 7, 7, 7, 7])
    assert_known(known(rows(("1301", 5, 7.0)), 3), [NAN, NAN, NAN, NAN, 7, 7, 7])


def test_a_value_is_valid_until_the_next_is_known() -> None:
    assert_known(known(rows(("1301", 10, 8.0), ("1301", 1, 7.0), ("1301", 12, 9.0))), [7, 7, 7, 7, 8, 8, 9])


def test_of_rows_that_become_known_together_the_last_is_valid() -> None:
    assert_known(known(rows(("1301", 7, 9.0), ("1301", 5, 7.0), ("1301", 6, 8.0))), [NAN, NAN, 9, 9, 9, 9, 9])


def test_a_value_is_missing_when_it_is_stale() -> None:
    assert_known(known(rows(("1301", 4, 7.0), ("1301", 11, 8.0)), stale_after=2), [NAN, 7, 7, NAN, NAN, 8, 8])
    assert_known(known(rows(("1301", 1, 7.0)), stale_after=3), [7, 7, 7, NAN, NAN, NAN, NAN])


def test_each_stock_has_its_own_rows_and_rows_after_the_last_session_are_dropped() -> None:
    published = rows(("1332", 4, 1.0), ("1301", 5, 7.0), ("1605", 4, 2.0), ("1301", 15, 8.0))
    assert_known(known(published), [NAN, NAN, 7, 7, 7, 7, 7])
    assert_known(known(published, code="1605"), [NAN, 2, 2, 2, 2, 2, 2])
    assert_known(known(published, code="1306"), [NAN] * 7)


def test_any_part_of_the_history_gives_the_same_values() -> None:
    published = rows(("1301", 4, 7.0), ("1301", 9, 8.0), ("1332", 5, 3.0))
    as_of = AsOf.of(published, SESSIONS, 1, 3)
    whole = as_of.at(SESSIONS, ("1301", "1332"))
    for start in range(6):
        for stop in range(start + 1, 8):
            np.testing.assert_array_equal(as_of.at(SESSIONS[start:stop], ("1301", "1332")), whole[start:stop])


# --- In a dataset ----------------------------------------------------------------------------------------------------

CUT = date(2022, 3, 31)


def statements(codes: list[str]) -> pl.DataFrame:
    """Twelve weeks apart for each stock, on any day of the week; some report no dividend."""
    draw = np.random.Generator(np.random.Philox(5))
    first = date(2020, 11, 2)
    table = [
        (code, first + timedelta(days=84 * quarter + 5 * place % 84), draw.normal(), draw.normal())
        for place, code in enumerate(codes)
        for quarter in range(7)
    ]
    names = ["LocalCode", "DisclosedDate", "EarningsPerShare", "Dividend"]
    frame = pl.DataFrame(table, names, orient="row")
    few = pl.int_range(pl.len()) % 5 == 0
    return frame.with_columns(pl.when(~few).then("Dividend")).sample(fraction=1.0, shuffle=True, seed=1)


@pytest.fixture(scope="module")
def table(frames: Any) -> pl.DataFrame:
    return statements(frames.listed["Code"].to_list())


@pytest.fixture
def joined(params: Dataset, tmp_path: Path) -> Dataset:
    """A dataset with the core features and a table of statements with earnings and dividends in `tables/`."""
    values = {"eps": "EarningsPerShare", "dividend": "Dividend"}
    one = JoinedTable(code="LocalCode", published="DisclosedDate", values=values, lag=1, stale_after=100)
    folder = tmp_path / "tables"
    folder.mkdir()
    return replace(params, features="core", joined=Joined(folder=str(folder), tables={"statements": one}))


def write(table: pl.DataFrame, joined: Dataset) -> None:
    table.write_parquet(Path(joined.joined.folder) / "statements.parquet")


def made(frames: Any, joined: Dataset, target: Path) -> dict[str, bytes]:
    build(frames.history(), joined, target)
    return {path.relative_to(target).as_posix(): path.read_bytes() for path in sorted(target.rglob("*.parquet"))}


def test_joined_features_come_last_and_are_normalised(
    frames: Any, joined: Dataset, table: pl.DataFrame, tmp_path: Path
) -> None:
    write(table, joined)
    made(frames, joined, tmp_path / "dataset")
    panel = read_panel(tmp_path / "dataset")
    names = tuple(feature.name for feature in select("core"))
    assert panel.features == (*names, "joined_statements_eps", "joined_statements_dividend")
    raw_TS = np.full((len(panel.sessions), len(panel.codes)), np.nan)
    for code, day, value, _ in table.sort("DisclosedDate").iter_rows():
        after = np.flatnonzero(panel.sessions > np.datetime64(day))[:100]
        raw_TS[after, panel.codes.index(code)] = value
    assert 0.8 < np.isfinite(raw_TS).mean() < 1.0
    np.testing.assert_array_equal(panel.x_TSF[:, :, -2], robust_z(raw_TS.astype(np.float32), 5.0).astype(np.float32))


def test_a_null_is_ignored_and_the_previous_value_stays_valid(
    frames: Any, joined: Dataset, table: pl.DataFrame, tmp_path: Path
) -> None:
    write(table, joined)
    with_nulls = made(frames, joined, tmp_path / "nulls")
    of_dividend = {"statements": replace(joined.joined.tables["statements"], values={"dividend": "Dividend"})}
    alone = replace(joined, joined=replace(joined.joined, tables=of_dividend))
    write(table.drop_nulls("Dividend"), alone)
    without = made(frames, alone, tmp_path / "without")
    column = "joined_statements_dividend"
    for name in with_nulls:
        if name.startswith("features/"):
            here, there = (pl.read_parquet(made_of[name], columns=[column]) for made_of in (with_nulls, without))
            assert here.equals(there)


def test_later_rows_and_bars_change_no_byte_of_earlier_months(
    frames: Any, joined: Dataset, table: pl.DataFrame, tmp_path: Path
) -> None:
    write(table, joined)
    whole = made(frames, joined, tmp_path / "whole")
    write(table.filter(pl.col("DisclosedDate") <= CUT), joined)
    rows_cut = made(frames, joined, tmp_path / "rows")
    bars_cut = made(frames.until(CUT), joined, tmp_path / "bars")
    before = [name for name in whole if not name.startswith("targets/") and name.split("/")[1] <= "2022-03.parquet"]
    assert len(before) == 15 + 14
    for cut in (rows_cut, bars_cut):
        assert [name for name in before if cut[name] != whole[name]] == []
    assert rows_cut["features/2022-04.parquet"] != whole["features/2022-04.parquet"]


def test_a_changed_row_rebuilds_only_the_months_that_it_can_change(
    frames: Any, joined: Dataset, table: pl.DataFrame, tmp_path: Path
) -> None:
    write(table, joined)
    target = tmp_path / "dataset"
    before = made(frames, joined, target)
    places = {path.name: path.stat().st_ino for path in (target / "features").iterdir()}
    of_stock = table.filter(LocalCode="1315").sort("DisclosedDate")["DisclosedDate"]
    changed, following = of_stock[3], of_stock[4]
    row = (pl.col("LocalCode") == "1315") & (pl.col("DisclosedDate") == changed)
    write(table.with_columns(pl.when(row).then(99.0).otherwise("EarningsPerShare").alias("EarningsPerShare")), joined)
    after = made(frames, joined, target)
    days = [changed + timedelta(days=1 + day) for day in range((following - changed).days)]
    touched = {f"{day:%Y-%m}.parquet" for day in days}
    assert 2 < len(touched) < 5
    assert {name for name in before if after[name] != before[name]} == {f"features/{month}" for month in touched}
    again = {path.name for path in (target / "features").iterdir() if path.stat().st_ino != places[path.name]}
    assert again == touched


def test_several_processes_build_the_same_bytes_as_one(
    frames: Any, joined: Dataset, table: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(table, joined)
    alone = made(frames, joined, tmp_path / "alone")
    for name in ("bars", "listed", "index"):
        write_parquet(getattr(frames, name), tmp_path / f"quotes/{name}.parquet")
    monkeypatch.setattr(workers, "_MIN_VALUES", 0)
    build(History.read(tmp_path / "quotes"), joined, tmp_path / "together")
    assert {name: (tmp_path / "together" / name).read_bytes() for name in alone} == alone


def test_the_parameters_of_a_table_are_part_of_the_abi(joined: Dataset) -> None:
    def abi(**changes: Any) -> str:
        table = replace(joined.joined.tables["statements"], **changes)
        features = chosen(replace(joined, joined=replace(joined.joined, tables={"statements": table})))
        return Schema(tuple(feature.column for feature in features), (1,), 3).abi

    assert abi() == abi(code="Code")
    others = [abi(), abi(lag=2), abi(stale_after=None), abi(values={"eps": "Forecast", "dividend": "Dividend"})]
    others.append(abi(values={"dividend": "Dividend", "eps": "EarningsPerShare"}))
    assert len(set(others)) == 5


def test_the_definition_has_table_column_and_lag(joined: Dataset) -> None:
    *_, eps, _ = chosen(joined)
    assert (eps.family, eps.scope, eps.lookback) == ("joined", "stock", 1)
    assert eps.definition == (
        "last `EarningsPerShare` of table `statements`, known 1 session after the day of `DisclosedDate`,"
        " for 100 sessions"
    )


# --- What is refused --------------------------------------------------------------------------------------------------


def _without_a_column(table: pl.DataFrame) -> pl.DataFrame:
    return table.rename({"Dividend": "dividend"})


def _with_rows_twice(table: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([table, table.filter(LocalCode="1315").sort("DisclosedDate").head(2)])


def _with_words(table: pl.DataFrame) -> pl.DataFrame:
    words = table["Dividend"].cast(pl.String).to_list()
    words[3] = words[8] = "-"
    return table.with_columns(Dividend=pl.Series(words))


def _without_a_day(table: pl.DataFrame) -> pl.DataFrame:
    return table.with_columns(pl.when(pl.int_range(pl.len()) != 2).then("DisclosedDate"))


def _of_other_stocks(table: pl.DataFrame) -> pl.DataFrame:
    return table.with_columns(pl.col("LocalCode") + "0")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_without_a_column, "has no column `Dividend` (`dataset.joined.tables.statements.values.dividend`)"),
        (_with_rows_twice, "has 4 rows with a duplicate code and publication date, such as 1315 2020-11-12, "),
        (_with_words, "column `Dividend` has '-' in row 4, which is not a number (2 such rows)"),
        (_without_a_day, "column `DisclosedDate` has no value in row 3, which is not a date"),
        (_of_other_stocks, "has no row of a listed stock: its codes are like "),
    ],
    ids=["column", "twice", "number", "day", "stocks"],
)
def test_an_invalid_table_is_an_error_and_the_dataset_stays(
    frames: Any,
    joined: Dataset,
    table: pl.DataFrame,
    tmp_path: Path,
    damage: Callable[[pl.DataFrame], pl.DataFrame],
    message: str,
) -> None:
    target = tmp_path / "dataset"
    target.mkdir()
    (target / "schema.json").write_text("the dataset before")
    write(damage(table), joined)
    with pytest.raises(DataError) as caught:
        build(frames.history(), joined, target)
    assert f"`{joined.joined.folder}/statements.parquet`" in caught.value.message
    assert message in caught.value.message
    assert caught.value.hint
    assert [path.name for path in target.iterdir()] == ["schema.json"]


def test_a_missing_table_or_one_that_is_not_parquet_is_an_error(frames: Any, joined: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"statements\.parquet` does not exist"):
        build(frames.history(), joined, tmp_path / "dataset")
    (Path(joined.joined.folder) / "statements.parquet").write_text("LocalCode,DisclosedDate\n")
    with pytest.raises(DataError, match=r"statements\.parquet` cannot be read as parquet"):
        build(frames.history(), joined, tmp_path / "dataset")


ONE = {"code": "Code", "published": "Date", "values": {"eps": "EPS"}, "lag": 1, "stale_after": None}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lag": -1}, "`lag` of a table of `dataset.joined` is -1"),
        ({"lag": 1.5}, "`dataset.joined.tables.statements.lag`: Input should be a valid integer"),
        ({"stale_after": 0}, "`stale_after` of a table of `dataset.joined` is 0"),
        ({"values": {}}, "a table of `dataset.joined` has no `values`"),
        ({"valeus": 1}, "`dataset.joined.tables.statements.valeus`: Unexpected keyword"),
    ],
)
def test_empty_parameters_are_refused(change: dict[str, Any], message: str) -> None:
    tree: Any = OmegaConf.to_container(OmegaConf.load(Path(__file__).parents[2] / "params.yaml"))
    tree["dataset"]["joined"]["tables"] = {"statements": json.loads(json.dumps(ONE | change))}
    with pytest.raises(ConfigError) as caught:
        config.parse(tree)
    assert message in str(caught.value)


@pytest.mark.parametrize(("name", "value"), [("Statements", "eps"), ("statements", "EPS"), ("../statements", "eps")])
def test_invalid_feature_names_are_refused(joined: Dataset, name: str, value: str) -> None:
    table = replace(joined.joined.tables["statements"], values={value: "EarningsPerShare"})
    with pytest.raises(ConfigError, match="is not a valid feature name"):
        chosen(replace(joined, joined=replace(joined.joined, tables={name: table})))


def test_tables_whose_features_share_a_name_are_refused(joined: Dataset) -> None:
    table = joined.joined.tables["statements"]
    tables = {"a": replace(table, values={"b_c": "Dividend"}), "a_b": replace(table, values={"c": "Dividend"})}
    with pytest.raises(ConfigError, match="1 feature names are duplicate: joined_a_b_c"):
        chosen(replace(joined, joined=replace(joined.joined, tables=tables)))
