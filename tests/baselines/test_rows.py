from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from gogooku3.baselines.rows import rows_of
from gogooku3.panel.panel import Panel


def test_rows_are_the_bars_of_the_split_with_ranks_among_their_session(market: Panel):
    rows = rows_of(market, "train", 100_000)
    present = market.present_TS[:70]
    assert len(rows.x_NF) == len(rows.y_NH) == present.sum() == 70 * 40 - 30
    np.testing.assert_array_equal(rows.x_NF, market.x_TSF[:70][present])
    first = rows.y_NH[: int(present[0].sum())]
    targets = market.y_TSH[0][present[0]]
    for place in range(2):
        expected = (stats.rankdata(targets[:, place]) - 0.5) / len(targets) - 0.5
        np.testing.assert_allclose(first[:, place], expected, atol=1e-7)
    assert rows.y_NH.min() > -0.5
    assert rows.y_NH.max() < 0.5


def test_a_target_that_is_unknown_has_no_rank_and_takes_none(market: Panel):
    y_TSH = market.y_TSH.copy()
    y_TSH[2, 5:9, 1] = np.nan
    rows = rows_of(replace(market, y_TSH=y_TSH), "train", 100_000)
    assert np.isnan(rows.y_NH).sum() == 4
    x_NF, y_N = rows.labelled(1)
    assert len(x_NF) == len(y_N) == len(rows.x_NF) - 4
    session = y_N[39 * 2 : 39 * 3 - 4]  # stock 3 has no bar yet
    np.testing.assert_allclose(np.sort(session), (np.arange(35) + 0.5) / 35 - 0.5, atol=1e-7)


@pytest.mark.parametrize(("limit", "step"), [(2770, 1), (2769, 2), (1000, 3), (40, 70), (1, 70)])
def test_of_too_many_rows_every_kth_session_from_the_last_back_is_taken_whole(market: Panel, limit: int, step: int):
    rows = rows_of(market, "train", limit)
    chosen = [t for t in range(70) if (69 - t) % step == 0]
    np.testing.assert_array_equal(rows.x_NF, np.concatenate([market.x_TSF[t][market.present_TS[t]] for t in chosen]))
    assert len(rows.x_NF) <= limit or len(chosen) == 1


def test_other_splits_are_not_read(market: Panel):
    later = replace(market, x_TSF=np.where(np.arange(120)[:, None, None] >= 70, 9.0, market.x_TSF).astype(np.float32))
    np.testing.assert_array_equal(rows_of(later, "train", 500).x_NF, rows_of(market, "train", 500).x_NF)
