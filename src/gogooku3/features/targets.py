"""Targets (labels): forward returns after the session. Never an input feature (leakage)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gogooku3.dataset.elementwise import divide
from gogooku3.features.market import Market


def forward_returns(market: Market, horizons: list[int]) -> npt.NDArray[np.float32]:
    """[H, T, S] simple returns from the close of t to the close `h` sessions later, split-adjusted.

    NaN if the stock has no bar in one of the two sessions, or the later one is after the end of the data.
    """
    y_HTS = np.full((len(horizons), *market.close_TS.shape), np.nan, np.float32)
    for y_TS, horizon in zip(y_HTS, horizons, strict=True):
        later_TS = market.close_TS[horizon:]
        y_TS[: len(later_TS)] = divide(later_TS, market.close_TS[: len(later_TS)]) - 1.0
    return y_HTS
