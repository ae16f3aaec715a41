"""Targets: what the stocks returned after the session. Never an input."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gogooku3.dataset.elementwise import divide
from gogooku3.dataset.market import Market


def forward_returns(market: Market, horizons: list[int]) -> npt.NDArray[np.float32]:
    """[T, S, H] simple returns from the close of t to the close `h` sessions later, adjusted for splits.

    NaN where the stock has no bar in one of the two sessions, or the later one is beyond the end.
    """
    y_TSH = np.full((*market.close_TS.shape, len(horizons)), np.nan, np.float32)
    for column, horizon in enumerate(horizons):
        later_TS = market.close_TS[horizon:]
        y_TSH[: len(later_TS), :, column] = divide(later_TS, market.close_TS[: len(later_TS)]) - 1.0
    return y_TSH
