"""Each error injected into a sound dataset is found with its kind; the sound dataset has no findings."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gogooku3.dataset.contents import CONTENTS
from gogooku3.dataset.schema import Schema
from gogooku3.quality.checks import CHECKS, judge
from gogooku3.quality.finding import Finding

from .conftest import QUOTES, Harm, findings, surveyed

NAN = pl.lit(float("nan"), pl.Float32)
MONTH = "2021-11"
LAST = "2022-04"


def summaries(found: list[Finding]) -> list[tuple[str, str, tuple[str, ...], tuple[str, ...]]]:
    return [(finding.kind, finding.level, finding.features, finding.months) for finding in found]


def where_known(name: str, value: float) -> pl.Expr:
    """A column with one value in place of all known values."""
    return pl.when(pl.col(name).is_nan()).then(NAN).otherwise(pl.lit(value, pl.Float32)).alias(name)


def of_codes(frame: pl.DataFrame, share: float) -> pl.Expr:
    """The rows of the first codes."""
    codes = frame["Code"].unique().sort()
    return pl.col("Code").is_in(codes.head(round(share * len(codes))).to_list())


def half(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(~of_codes(frame, 0.5))


def test_nothing_is_found_in_a_sound_dataset(sound: Path) -> None:
    assert findings(sound) == []


def test_a_constant_feature(harm: Harm) -> None:
    found = findings(harm(lambda frame: frame.with_columns(where_known("ret_5", 0.7))))
    assert summaries(found) == [("constant", "fault", ("ret_5",), ())]
    assert found[0].values == {"value": 0.7}


@pytest.mark.parametrize("name", ["ret_5", "rank_ret_5", "breadth_1"])
def test_a_feature_of_any_scope_that_is_constant_in_a_month(harm: Harm, name: str) -> None:
    found = findings(harm(lambda frame: frame.with_columns(where_known(name, 0.5)), MONTH))
    assert summaries(found) == [("constant_in_month", "fault", (name,), (MONTH,))]


def test_a_feature_that_becomes_constant(harm: Harm) -> None:
    folder = harm(lambda frame: frame.with_columns(where_known("ret_5", 0.0)), "2022-0[1-4]")
    assert summaries(findings(folder)) == [
        ("constant_in_month", "fault", ("ret_5",), ("2022-01", "2022-02", "2022-03", "2022-04"))
    ]


def test_a_session_feature_that_only_changes_from_month_to_month_is_sound(harm: Harm) -> None:
    month = (pl.col("Date").dt.month() / 12).cast(pl.Float32)
    assert findings(harm(lambda frame: frame.with_columns(weekday_sin=month))) == []


def test_a_duplicated_column(harm: Harm) -> None:
    found = findings(harm(lambda frame: frame.with_columns(vol_close_20=pl.col("ret_20"))))
    assert summaries(found) == [("duplicate", "fault", ("ret_20", "vol_close_20"), ())]


def test_a_column_that_is_the_negative_of_another_one(harm: Harm) -> None:
    found = findings(harm(lambda frame: frame.with_columns(vol_close_20=-pl.col("ret_20"))))
    assert summaries(found) == [("near_duplicate", "note", ("ret_20", "vol_close_20"), ())]
    assert found[0].values == {"correlation": -1.0}


def test_a_session_feature_that_follows_another_one(harm: Harm) -> None:
    found = findings(harm(lambda frame: frame.with_columns(breadth_1=0.5 + 2 * pl.col("index_ret_1"))))
    assert summaries(found) == [("near_duplicate", "note", ("index_ret_1", "breadth_1"), ())]


def test_features_without_any_value(harm: Harm) -> None:
    found = findings(harm(lambda frame: frame.with_columns(NAN.alias("ret_5"), NAN.alias("index_ret_1"))))
    assert summaries(found) == [("dead", "fault", ("ret_5", "index_ret_1"), ())]


def test_a_feature_whose_lookback_is_longer_than_any_history(harm: Harm, sound: Path) -> None:
    folder = harm(lambda frame: frame.with_columns(NAN.alias("mom_250_skip_20")))
    schema = json.loads((folder / "schema.json").read_text())
    next(column for column in schema["features"] if column["name"] == "mom_250_skip_20")["lookback"] = 331
    (folder / "schema.json").write_text(json.dumps(schema))
    (found,) = findings(folder)
    assert (found.kind, found.features) == ("dead", ("mom_250_skip_20",))
    assert "no stock's history is as long" in found.text


def test_a_block_of_a_month_without_values(harm: Harm) -> None:
    names = ("ret_1", "vol_close_5", "breadth_1")
    folder = harm(
        lambda frame: frame.with_columns(
            pl.when(of_codes(frame, 0.25)).then(NAN).otherwise(pl.col(name)).alias(name) for name in names
        ),
        MONTH,
    )
    (found,) = findings(folder)
    assert (found.kind, found.level, found.features, found.months) == ("missing", "fault", names, (MONTH,))
    assert found.values["share"] == pytest.approx(0.25, abs=0.01)


def test_a_whole_month_of_a_family_without_values(harm: Harm, sound: Path) -> None:
    schema = Schema.read(sound / "schema.json")
    names = tuple(column.name for column in schema.features if column.family == "volume")
    found = findings(harm(lambda frame: frame.with_columns(NAN.alias(name) for name in names), MONTH))
    assert summaries(found) == [("missing", "fault", names, (MONTH,))]


def test_values_before_enough_history_do_not_count_as_missing(sound: Path) -> None:
    statistics = surveyed(sound)
    place = statistics.schema.names.index("mom_250_skip_20")
    assert statistics.columns.known_MF[:10, place].sum() == 0
    assert statistics.columns.lost_MF[:, place].sum() == 0


def test_a_feature_that_is_mostly_missing_in_every_month(harm: Harm) -> None:
    folder = harm(
        lambda frame: frame.with_columns(
            pl.when(of_codes(frame, 0.4)).then(NAN).otherwise(pl.col("ret_1")).alias("ret_1")
        )
    )
    (found,) = findings(folder)
    assert (found.kind, found.features, len(found.months)) == ("missing", ("ret_1",), 16)


@pytest.mark.parametrize(("value", "shown"), [(7.5, "7.5, beyond ±5"), (np.inf, "inf, beyond ±5")])
def test_values_outside_the_range_of_the_normalisation(harm: Harm, value: float, shown: str) -> None:
    first = pl.int_range(pl.len()) == 100
    change = pl.when(first).then(pl.lit(value, pl.Float32)).otherwise(pl.col("ret_5")).alias("ret_5")
    found = findings(harm(lambda frame: frame.with_columns(change), MONTH))
    assert summaries(found) == [("out_of_range", "fault", ("ret_5",), (MONTH,))]
    assert shown in found[0].text


def test_a_rank_beyond_one(harm: Harm) -> None:
    found = findings(harm(lambda frame: frame.with_columns(pl.col("rank_ret_5") * 1.5), MONTH))
    assert summaries(found) == [("out_of_range", "fault", ("rank_ret_5",), (MONTH,))]


def test_a_feature_that_is_clipped_too_often(harm: Harm) -> None:
    fifth = pl.int_range(pl.len()) % 5 == 0
    change = pl.when(fifth).then(pl.lit(5.0, pl.Float32)).otherwise(pl.col("ret_5")).alias("ret_5")
    found = findings(harm(lambda frame: frame.with_columns(change)))
    assert summaries(found) == [("clipped", "fault", ("ret_5",), ())]
    assert found[0].values["share"] == pytest.approx(0.2, abs=0.01)


def test_a_month_in_which_a_feature_is_clipped_is_noted(harm: Harm) -> None:
    half_of_them = pl.int_range(pl.len()) % 2 == 0
    change = pl.when(half_of_them).then(pl.lit(-5.0, pl.Float32)).otherwise(pl.col("ret_5")).alias("ret_5")
    found = findings(harm(lambda frame: frame.with_columns(change), MONTH))
    assert summaries(found) == [("clipped_in_month", "note", ("ret_5",), (MONTH,))]


def test_a_month_that_lacks_half_of_its_sessions(harm: Harm) -> None:
    found = findings(harm(lambda frame: frame.filter(pl.col("Date").dt.day() <= 15), MONTH, "*"))
    assert summaries(found) == [("few_sessions", "fault", (), (MONTH,))]
    assert found[0].values == {"sessions": 11, "weekdays": 22}


def test_a_missing_month(harm: Harm) -> None:
    folder = harm(lambda frame: frame)
    contents = json.loads((folder / CONTENTS).read_text())
    for path in folder.glob(f"*/{MONTH}.parquet"):
        path.unlink()
        del contents[path.relative_to(folder).as_posix()]
    (folder / CONTENTS).write_text(json.dumps(contents))
    found = [finding for finding in findings(folder) if finding.kind == "few_sessions"]
    assert [(finding.months, finding.values["sessions"]) for finding in found] == [((MONTH,), 0)]


def test_a_month_in_which_half_the_stocks_have_no_bars(harm: Harm) -> None:
    folder = harm(half, MONTH, "*")
    found = judge(surveyed(folder))["coverage"]
    assert summaries(list(found)) == [("few_bars", "fault", (), (MONTH,)), ("fewer_stocks", "fault", (), (MONTH,))]
    assert found[0].values == {"sessions": 22, "session": "2021-11-01", "share": 0.5}


def test_a_single_session_in_which_stocks_have_no_bar_is_found_at_its_worst(harm: Harm) -> None:
    """One session is enough; of two, the one with fewer bars is named. Nine of ten bars are enough."""

    def without(day: int, share: float) -> Path:
        lost = pl.col("Date") == date(2021, 11, day)
        return harm(lambda frame: frame.filter(~(lost & of_codes(frame, share))), MONTH, "*")

    assert judge(surveyed(without(3, 0.1)))["coverage"] == []
    (found,) = judge(surveyed(without(9, 0.125)))["coverage"]
    assert (found.kind, found.level, found.months) == ("few_bars", "fault", (MONTH,))
    assert found.values == {"sessions": 1, "session": "2021-11-09", "share": 0.875}
    (found,) = judge(surveyed(without(17, 0.2)))["coverage"]
    assert found.values == {"sessions": 2, "session": "2021-11-17", "share": 0.8}


def test_a_last_month_that_lacks_half_of_the_stocks(harm: Harm) -> None:
    (found,) = judge(surveyed(harm(half, LAST, "*")))["coverage"]
    assert (found.kind, found.months, found.values) == ("fewer_stocks", (LAST,), {"stocks": 20, "before": 40})


def test_months_with_just_enough_sessions_and_stocks_are_sound(harm: Harm) -> None:
    """12 sessions for 20 weekdays, and 36 stocks after 40."""
    harm(lambda frame: frame.filter(pl.col("Date").dt.day() <= 16), "2021-02", "*")
    folder = harm(lambda frame: frame.filter(~of_codes(frame, 0.1)), LAST, "*")
    assert judge(surveyed(folder))["coverage"] == []


def test_broken_rules_and_the_policy_applied(sound: Path) -> None:
    broken = {"policy": "drop", "count": 12, "dropped": 11, "examples": []}
    kept = {"policy": "keep", "count": 1, "dropped": 0, "examples": []}
    labels = {"Sector33": {"unknown": 3, "changed": 0}}
    quotes = {"rules": QUOTES["rules"] | {"outside_range": broken, "unsorted": kept}, "listed": labels}
    assert [(finding.kind, finding.level, finding.text) for finding in findings(sound, quotes)] == [
        ("broken_rule", "note", "12 bars broke the rule `outside_range`, dropped"),
        ("broken_rule", "note", "1 bar broke the rule `unsorted`, kept unchanged"),
        ("unknown_label", "note", "3 stocks with an unknown `Sector33`"),
    ]


def test_an_embargo_shorter_than_the_longest_target(harm: Harm) -> None:
    folder = harm(lambda frame: frame)
    split = json.loads((folder / "split.json").read_text())
    split["train"]["last"] = "2022-01-18"
    (folder / "split.json").write_text(json.dumps(split))
    (found,) = findings(folder)
    assert (found.kind, found.level) == ("short_embargo", "fault")
    assert found.values == {"sessions": 3, "horizon": 5, "before": "train", "after": "validation"}


def test_a_month_with_missing_targets(harm: Harm) -> None:
    change = lambda frame: frame.with_columns(  # noqa: E731
        pl.when(of_codes(frame, 0.5)).then(NAN).otherwise(pl.col("target_5")).alias("target_5")
    )
    (found,) = findings(harm(change, MONTH, "targets"))
    assert (found.kind, found.level, found.months) == ("missing_target", "fault", (MONTH,))
    assert found.values == {"target": "target_5", "share": 0.5}


def test_impossible_targets_and_targets_that_look_like_a_split(harm: Harm) -> None:
    first, second = pl.int_range(pl.len()) == 0, pl.int_range(pl.len()) == 1
    change = pl.when(first).then(-1.5).when(second).then(0.9).otherwise(pl.col("target_1")).cast(pl.Float32)
    found = findings(harm(lambda frame: frame.with_columns(change.alias("target_1")), MONTH, "targets"))
    assert [(finding.kind, finding.level, finding.months, finding.values["rows"]) for finding in found] == [
        ("impossible_target", "fault", (MONTH,), 1),
        ("large_return", "note", (MONTH,), 2),
    ]


def test_a_month_in_which_stocks_have_no_neighbours(harm: Harm) -> None:
    (found,) = findings(harm(half, MONTH, "graph"))
    assert (found.kind, found.level, found.months) == ("few_neighbours", "fault", (MONTH,))
    assert found.values == {"share": 0.5}


def test_an_interval_without_a_new_graph(harm: Harm) -> None:
    (found,) = findings(harm(lambda frame: frame.clear(), MONTH, "graph"))
    assert (found.kind, found.level, found.months) == ("old_graph", "fault", (MONTH,))
    assert found.values == {"session": "2021-10-25", "sessions": 30}  # 5 in October, 22 in November, 3 in December


def test_a_dataset_without_any_graph(harm: Harm) -> None:
    (found,) = findings(harm(lambda frame: frame.clear(), kind="graph"))
    assert (found.kind, found.level) == ("no_graph", "fault")


def test_every_check_has_a_rule(sound: Path) -> None:
    assert list(judge(surveyed(sound))) == [check.name for check in CHECKS]
    assert all(check.rule.endswith(".") for check in CHECKS)
