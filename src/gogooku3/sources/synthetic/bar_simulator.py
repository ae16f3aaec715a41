"""Simulates the OHLCV bars of a synthetic market: prices, volumes, stock splits, listings, delistings, missing bars.

Prices are rounded to 0.1, volumes to 100 shares, expected returns to 1e-9: far above the last bits in which
the elementary functions of different processors differ.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from gogooku3.config.quotes import SyntheticQuotes
from gogooku3.sources.synthetic.alpha_signals import HORIZONS
from gogooku3.sources.synthetic.shocks import Shocks, VolatilityState
from gogooku3.sources.synthetic.universe import Floats, Universe

CYCLE = 0.35
"""Standard deviation of the cycle in a stock's log volume."""
_VOLUME_NOISE = 0.45
"""Standard deviation of the noise in a stock's log volume, larger than the cycle's, as in real volumes."""
_VOLUME_OF_SHOCK = 0.15
_VOLUME_OF_VARIANCE = 0.25
_MEAN_ABSOLUTE_SHOCK = 0.775

_SESSIONS_A_YEAR = 245
_SPLIT_FACTORS = np.array([1 / 2, 1 / 3, 1 / 5])
_SPLIT_BOUNDS = np.array([0.7, 0.9])
_TICK = 0.1
_LOT = 100.0

_COLUMNS = ("Open", "High", "Low", "Close", "Volume", "TurnoverValue", "AdjustmentFactor")
Bools = npt.NDArray[np.bool_]


class BarSimulator:
    """Simulates bars session by session; its state is each stock's price and volume level and the recorded bars."""

    def __init__(self, params: SyntheticQuotes, stocks: Universe) -> None:
        self._suspended = params.suspended
        self._splits = params.splits / _SESSIONS_A_YEAR
        self._stocks = stocks
        self._close_S = stocks.price_S
        self._shares_S = stocks.shares_S
        self._rows: list[npt.NDArray[np.int64]] = []
        self._bars: list[Floats] = []
        self._expected: list[Floats] = []

    def present(self, number: int, rng: np.random.Generator) -> Bools:
        """Stocks with a bar: listed and not suspended; no suspension on the first and the last listed day."""
        first_S, last_S = self._stocks.first_S, self._stocks.last_S
        listed_S = (first_S <= number) & (number <= last_S)
        traded_S = rng.random(len(first_S)) >= self._suspended
        return listed_S & (traded_S | (number == first_S) | (number == last_S))

    def record(
        self,
        number: int,
        present_S: Bools,
        moved: Shocks,
        alpha_S: Floats,
        volatility: VolatilityState,
        expected_HS: Floats,
        rng: np.random.Generator,
    ) -> None:
        """Records the bars of one session from its shocks and alpha, and the expected returns at its close."""
        factor_S = self._split(number, present_S, rng)
        self._shares_S = self._shares_S / factor_S
        open_S = self._close_S * factor_S * np.exp(moved.overnight_S)
        move_S = moved.intraday_S + alpha_S
        self._close_S = open_S * np.exp(move_S)
        high_S, low_S = _extremes(open_S, move_S, moved.intraday_sd_S, rng)
        prices = [_rounded(price_S) for price_S in (open_S, high_S, low_S, self._close_S)]
        volume_S = self._volume(moved, volatility, rng)
        turnover_S = np.rint(volume_S * (prices[1] + prices[2] + prices[3]) / 3)
        rows = np.flatnonzero(present_S)
        self._rows.append(rows)
        self._bars.append(np.stack([*prices, volume_S, turnover_S, factor_S])[:, rows])
        self._expected.append(np.round(expected_HS[:, rows], 9) + 0.0)  # no minus zero

    def frames(self, dates: pl.Series) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Bars and the oracle's expected returns of all recorded sessions, sorted by (Date, Code)."""
        codes = pl.Series("Code", self._stocks.codes)
        sessions = np.repeat(np.arange(len(self._rows)), [len(rows) for rows in self._rows])
        key = [codes.gather(np.concatenate(self._rows)), dates.gather(sessions)]
        bars = np.concatenate(self._bars, axis=1)
        expected = np.concatenate(self._expected, axis=1)
        names = [f"oracle_{horizon}" for horizon in HORIZONS]
        return (
            pl.DataFrame(key + [pl.Series(name, row) for name, row in zip(_COLUMNS, bars, strict=True)]),
            pl.DataFrame(key + [pl.Series(name, row) for name, row in zip(names, expected, strict=True)]),
        )

    def _split(self, number: int, present_S: Bools, rng: np.random.Generator) -> Floats:
        """Adjustment factors: 1.0, or a split's; the probability of a split is proportional to the price."""
        relative_S = self._close_S / self._close_S.mean()
        splits_S = rng.random(len(relative_S)) < self._splits * relative_S
        splits_S &= present_S & (number > self._stocks.first_S)
        factor_S = _SPLIT_FACTORS[np.searchsorted(_SPLIT_BOUNDS, rng.random(len(relative_S)), side="right")]
        return np.where(splits_S, factor_S, 1.0)

    def _volume(self, moved: Shocks, volatility: VolatilityState, rng: np.random.Generator) -> Floats:
        log_S = (
            CYCLE * 2**0.5 * np.cos(volatility.phase_S)
            + _VOLUME_OF_SHOCK * (np.abs(moved.own_S) - _MEAN_ABSOLUTE_SHOCK)
            + _VOLUME_OF_VARIANCE * np.log(volatility.variance)
            + _VOLUME_NOISE * rng.standard_normal(len(moved.own_S))
        )
        volume_S: Floats = np.maximum(_LOT, np.rint(self._shares_S * np.exp(log_S) / _LOT) * _LOT)
        return volume_S


def _extremes(open_S: Floats, move_S: Floats, sd_S: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """High and low of a Brownian path from open to close, each drawn from its conditional distribution.

    The maximum of a path from 0 to x with variance v exceeds m with probability exp(−2·m·(m − x)/v); hence
    m = (x + √(x² − 2·v·ln U)) / 2, U uniform (Borodin and Salminen, 2002, "Handbook of Brownian Motion").
    """
    reach_BS = np.sqrt(move_S**2 - 2 * sd_S**2 * np.log1p(-rng.random((2, len(open_S)))))
    high_S: Floats = open_S * np.exp((move_S + reach_BS[0]) / 2)
    low_S: Floats = open_S * np.exp((move_S - reach_BS[1]) / 2)
    return high_S, low_S


def _rounded(price_S: Floats) -> Floats:
    """Prices rounded to the tick size."""
    return np.maximum(_TICK, np.rint(price_S / _TICK) / round(1 / _TICK))
