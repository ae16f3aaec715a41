"""The proposal fits the bars: rules that rows break, a split by sessions, batches of whole sessions."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from gogooku3.errors import DataError
from gogooku3.new_tier import proposal
from gogooku3.new_tier.proposal import propose


def proposed(bars: pl.DataFrame, folder: Path) -> proposal.Proposal:
    bars.write_parquet(folder / "bars.parquet")
    return propose(folder, {"bars": Path("bars.parquet")}, {}, embargo=20)


def test_the_split_is_by_shares_of_the_sessions(bars: pl.DataFrame, tmp_path: Path) -> None:
    found = proposed(bars, tmp_path)
    days = bars["Trade Date"].unique().sort().to_list()
    assert (found.first, found.last, found.sessions) == (days[0], days[-1], 400)
    assert (found.validation_from, found.test_from) == (days[260], days[320])
    assert (found.stocks, found.batch_stocks, found.batch_size) == (12, 12, 192)
    assert found.policies == {}


def test_broken_rules_get_a_policy_with_their_number(bars: pl.DataFrame, tmp_path: Path) -> None:
    first = pl.int_range(pl.len()) < 3
    broken = bars.with_columns(pl.when(first).then(None).otherwise("Close").alias("Close"))
    backwards = pl.concat([broken.slice(400), broken.slice(300, 100), broken.slice(0, 300)])
    found = proposed(backwards, tmp_path)
    assert found.broken == {"unsorted": 300, "missing_value": 3}
    assert found.policies == {"unsorted": "keep", "missing_value": "drop"}
    assert found.rows == bars.height - 3


def test_a_large_market_is_sampled(bars: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proposal, "MOST_STOCKS", 11)
    found = proposed(bars, tmp_path)
    assert (found.batch_stocks, found.batch_size) == (64, 1024)


def test_too_few_sessions_are_refused(bars: pl.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has 260 sessions; 250 and two embargos of 20 are needed"):
        proposed(bars.filter(pl.col("Trade Date") >= date(2022, 7, 18)), tmp_path)


def test_a_cumulative_factor_is_refused(bars: pl.DataFrame, tmp_path: Path) -> None:
    """As Tushare's `adj_factor`; a factor on two ex-dates is accepted."""
    first = pl.int_range(pl.len()) < 2
    once = bars.with_columns(adj_factor=pl.when(first).then(0.5).otherwise(1.0))
    assert proposed(once, tmp_path).bars["AdjustmentFactor"] == "adj_factor"
    with pytest.raises(DataError, match="`adj_factor` differs from 1 in 100% of the rows: it is a cumulative factor"):
        proposed(bars.with_columns(adj_factor=pl.lit(35.2)), tmp_path)
