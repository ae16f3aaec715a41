"""Walk-forward section of the card."""

from __future__ import annotations

from typing import Any

from gogooku3.package.walk_forward import walk_forward_section


def estimate(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.5, "high": value + 0.5}


def walked(**changes: Any) -> dict[str, Any]:
    spans = {name: {"first": f"2022-0{n}-01", "last": f"2022-0{n}-28"} for n, name in ((1, "train"), (3, "test"))}
    fold = {"fold": 2, **spans, "sharpe": estimate(3), "mean_rank_ic": estimate(4), "model_less_lightgbm": estimate(5)}
    less = {"sharpe": estimate(6), "mean_rank_ic": estimate(7)}
    baselines = [{"name": "ridge", "model_less_this": {}}, {"name": "lightgbm", "model_less_this": less}]
    return {
        "sessions": 119,
        "from": "2022-03-02",
        "to": "2022-08-31",
        "sharpe": estimate(1),
        "mean_rank_ic": estimate(2),
        "gaps": [],
        "baselines": baselines,
        "folds": [fold],
    } | changes


def test_series_and_folds_stand_with_their_intervals() -> None:
    lines = walk_forward_section({"walk_forward": walked()}).splitlines()
    for row in (
        "All tests joined to one out-of-sample series with one portfolio, 119 sessions from 2022-03-02 to 2022-08-31:",
        "| **model** | 1.000 [0.500, 1.500] | 2.000 [1.500, 2.500] |",
        "| model minus LightGBM | 6.000 [5.500, 6.500] | 7.000 [6.500, 7.500] |",
        "| 2 | 2022-01-01 to 2022-01-28 | 2022-03-01 to 2022-03-28 | 3.000 [2.500, 3.500] | 4.000 [3.500, 4.500]"
        " | 5.000 [4.500, 5.500] |",
    ):
        assert row in lines, row


def test_sessions_that_no_fold_tests_are_listed() -> None:
    gap = {"from": "2022-05-02", "to": "2022-05-31", "sessions": 20}
    text = " ".join(walk_forward_section({"walk_forward": walked(gaps=[gap])}).split())
    assert (
        "without a position in sessions that no fold tests (2022-05-02 to 2022-05-31). Those sessions count as" in text
    )
    assert "which lowers the Sharpe ratio (or raises it if below 0):" in text


def test_without_a_walk_forward_the_section_is_empty() -> None:
    assert walk_forward_section({"test": {}}) == ""
