"""The universe of a synthetic market: the constant properties of each stock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gogooku3.config.quotes import SyntheticQuotes
from gogooku3.config.section import require
from gogooku3.sources.jquants import codes
from gogooku3.sources.synthetic.random_streams import Purpose, generator

FIRST_CODE, LAST_CODE = 1301, 9999
LISTING_WINDOW = 750
"""Listings and delistings happen in the first 750 sessions. Relative to the period's end, a later end would change the
market's past. In a shorter period, fewer stocks than the given shares are listed or delisted."""
NEVER = 2**31 - 1
_MIN_LISTED = 60
_PERIODS = (6.0, 16.0)

SECTORS = tuple(name for name in codes.SECTORS.values() if name != "Other")
"""The 33 industries of the Tokyo exchange."""
SEGMENTS = ("Prime", "Standard", "Growth")
_SEGMENT_SHARES = (0.45, 0.85)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Universe:
    """Constant properties of S stocks, sorted by code."""

    codes: tuple[str, ...]
    sector_S: Ints
    cluster_S: Ints
    segment_S: Ints
    """Index into `SEGMENTS`: the largest are Prime."""
    size_S: Floats
    """Log market value, a standard normal; exposure to the size factor."""
    beta_S: Floats
    """Exposure to the market factor."""
    price_S: Floats
    """Close before the first session."""
    shares_S: Floats
    """Normal volume per session, in shares before any split."""
    period_S: Floats
    """Length of the volume cycle, in sessions."""
    state_S: Floats
    """Volatility state before the first session, N(0, 1)."""
    phase_S: Floats
    """Phase of the volume cycle before the first session, in radians."""
    first_S: Ints
    """Index of the first listed session."""
    last_S: Ints
    """Index of the last listed session, or `NEVER`."""


def draw(params: SyntheticQuotes) -> Universe:
    """Draws the stocks of a market, independent of the period's end.

    Raises:
        ConfigError: more stocks than four-digit codes.
    """
    S = params.stocks
    available = LAST_CODE - FIRST_CODE + 1
    require(available >= S, f"`quotes.stocks` is {S}", f"use at most {available}: codes have four digits")
    rng = generator(params.seed, Purpose.UNIVERSE)
    sector_S, cluster_S = _groups(rng, S, params.sectors, params.cluster_size)
    size_S = rng.standard_normal(S)
    first_S, last_S = _listings(rng, S, params.listed_later, params.delisted)
    price_S = 1500.0 * np.exp(0.7 * rng.standard_normal(S))
    turnover_S = 5e8 * np.exp(0.8 * size_S + 0.5 * rng.standard_normal(S))
    return Universe(
        codes=tuple(str(FIRST_CODE + stock * available // S) for stock in range(S)),
        sector_S=sector_S,
        cluster_S=cluster_S,
        segment_S=_segments(size_S),
        size_S=size_S,
        beta_S=np.clip(1.0 + 0.25 * rng.standard_normal(S), 0.3, 1.7),
        price_S=price_S,
        shares_S=turnover_S / price_S,
        period_S=rng.uniform(*_PERIODS, S),
        state_S=rng.standard_normal(S),
        phase_S=rng.uniform(0.0, 2 * np.pi, S),
        first_S=first_S,
        last_S=last_S,
    )


def _groups(rng: np.random.Generator, S: int, sectors: int, cluster_size: int) -> tuple[Ints, Ints]:
    """Sector and cluster of each stock: sectors of equal size, split into clusters; the last one may be smaller."""
    order = rng.permutation(S)
    sector_S, cluster_S = np.empty(S, np.int64), np.empty(S, np.int64)
    cluster = 0
    for sector, members in enumerate(np.array_split(order, min(sectors, S))):
        sector_S[members] = sector
        for start in range(0, len(members), cluster_size):
            cluster_S[members[start : start + cluster_size]] = cluster
            cluster += 1
    return sector_S, cluster_S


def _listings(rng: np.random.Generator, S: int, listed_later: float, delisted: float) -> tuple[Ints, Ints]:
    """First and last listed session of each stock; no stock is both listed later and delisted."""
    order = rng.permutation(S)
    first_S, last_S = np.zeros(S, np.int64), np.full(S, NEVER, np.int64)
    late, leaving = order[: round(listed_later * S)], order[S - round(delisted * S) :]
    first_S[late] = rng.integers(1, LISTING_WINDOW, len(late))
    last_S[leaving] = rng.integers(_MIN_LISTED, LISTING_WINDOW, len(leaving))
    return first_S, last_S


def _segments(size_S: Floats) -> Ints:
    rank_S = np.argsort(np.argsort(-size_S, kind="stable"), kind="stable")
    return np.searchsorted(np.array(_SEGMENT_SHARES) * len(size_S), rank_S, side="right").astype(np.int64)
