"""The benchmark's peer libraries compute the same values as our features."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from peers import ours, rolling_pandas
from peers.comparison import TOLERANCE, compare, differences, panel_of
from peers.definitions import DEFINITIONS
from peers.panel import Panel, Result

from gogooku3.features.registry import select


@pytest.fixture(scope="module")
def panel(make_frames: Callable[..., Any]) -> Panel:
    """A market in which every 401st bar is missing."""
    frames = make_frames()
    return panel_of(frames.with_bars(frames.bars.filter(pl.int_range(pl.len()) % 401 > 0)).market())


@pytest.fixture(scope="module")
def expected(panel: Panel) -> Result:
    of_name = {feature.name: feature for feature in select("full")}
    features = [of_name[definition.name] for definition in DEFINITIONS]
    return Result(ours.computed(ours.market_of(panel), features)[0], [], 0.0, {})


@pytest.mark.parametrize("by_code", [False, True])
def test_pandas_computes_our_values_in_either_order_of_the_bars(panel: Panel, expected: Result, by_code: bool) -> None:
    bars = rolling_pandas.Bars(panel, by_code=by_code)
    columns, _ = rolling_pandas.computed(bars, [definition.pandas for definition in DEFINITIONS])
    found = Result(np.stack([bars.matrix(column) for column in columns]), [], 0.0, {})
    assert max(differences("pandas", panel, found, expected)) < TOLERANCE["pandas"]


@pytest.mark.slow
def test_qlib_computes_our_values(panel: Panel, tmp_path: Path) -> None:
    python = os.environ.get("GOGOOKU3_QLIB_PYTHON")
    if python is None:
        pytest.skip("GOGOOKU3_QLIB_PYTHON names no interpreter with pyqlib")
    found = compare(panel, tmp_path, runs=1, qlib_python=Path(python))
    assert set(found.alone) == {"ours", "pandas", "pandas, sorted", "qlib"}
    assert max(found.difference["qlib"]) < TOLERANCE["qlib"]


@pytest.mark.parametrize("other", [1e-4, np.nan])
def test_a_peer_with_a_different_value_is_an_error_with_the_feature_name(
    panel: Panel, expected: Result, other: float
) -> None:
    session, stock = np.argwhere(panel.whole_DTS[5])[0]
    values_DTS = expected.values_DTS.copy()
    values_DTS[5, session, stock] += other
    with pytest.raises(SystemExit, match=f"{DEFINITIONS[5].name}: pandas and ours differ by"):
        differences("pandas", panel, replace(expected, values_DTS=values_DTS), expected)


def test_windows_with_missing_values_are_not_compared(panel: Panel, expected: Result) -> None:
    others_DTS = np.where(panel.whole_DTS, expected.values_DTS, -1.0)
    assert differences("pandas", panel, replace(expected, values_DTS=others_DTS), expected) == [0.0] * len(DEFINITIONS)
