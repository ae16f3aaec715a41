"""The layout of `metrics/<split>.json`: five numbers for DVC's tables, and the table of metrics in a list."""

from __future__ import annotations

from gogooku3.metrics.split_file import content_of, table_of

TABLE = {
    "sharpe": {"value": 1.25, "low": 0.5, "high": 2.0},
    "annual_return": 0.125,
    "max_drawdown": -0.0625,
    "turnover": 0.5,
    "mean_rank_ic": {"value": 0.03, "low": 0.01, "high": 0.05},
    "universe": {"stocks": 12},
}


def test_the_table_comes_back_from_a_file_with_five_numbers() -> None:
    content = content_of(TABLE)
    assert content == {
        "sharpe": 1.25,
        "rank_ic": 0.03,
        "return": 0.125,
        "drawdown": -0.0625,
        "turnover": 0.5,
        "evaluation": [TABLE],
    }
    assert table_of(content) == TABLE


def test_an_older_file_is_the_table_itself() -> None:
    assert table_of(TABLE) is TABLE


def test_a_number_without_a_value_is_none() -> None:
    content = content_of({"sharpe": {"value": None}})
    assert [content[name] for name in ("sharpe", "rank_ic", "return", "drawdown", "turnover")] == [None] * 5
