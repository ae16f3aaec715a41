"""Statistics in plain Python, for references that share no code with the features.

A window is a list, oldest first, with NaN where nothing is known. A statistic of it is NaN unless four fifths of its
values are known, and where it has no value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import wraps
from statistics import fmean

from scipy.stats import rankdata

Window = Sequence[float]


def log(x: float) -> float:
    return math.log(x) if x > 0 else math.nan


def root(x: float) -> float:
    return math.sqrt(x) if x >= 0 else math.nan


def ratio(a: float, b: float) -> float:
    return a / b if b != 0 else math.nan


def sign(x: float) -> float:
    return x if math.isnan(x) else float((x > 0) - (x < 0))


def share(holds: bool, *known: float) -> float:
    """1 or 0; NaN where one of the numbers that it rests on is not known."""
    return math.nan if any(map(math.isnan, known)) else float(holds)


def higher(*values: float) -> float:
    """The largest, NaN where one is not known."""
    return math.nan if any(map(math.isnan, values)) else max(values)


def lower(*values: float) -> float:
    return -higher(*(-value for value in values))


def enough(values: Sequence[object], window: Sequence[object]) -> bool:
    return 5 * len(values) >= 4 * len(window)


def statistic(compute: Callable[..., float]) -> Callable[..., float]:
    """Of the known values of a window."""

    @wraps(compute)
    def of_window(window: Window, *args: float) -> float:
        known = [value for value in window if not math.isnan(value)]
        return compute(known, *args) if enough(known, window) else math.nan

    return of_window


def both_known(x: Window, y: Window) -> tuple[list[float], list[float]]:
    """Two windows, each NaN where one of them is."""
    unknown = (math.nan, math.nan)
    pairs = [unknown if math.isnan(a + b) else (a, b) for a, b in zip(x, y, strict=True)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def statistic_of_pairs(compute: Callable[[list[float], list[float]], float]) -> Callable[[Window, Window], float]:
    """Of the pairs of two windows that are known in both."""

    @wraps(compute)
    def of_windows(x: Window, y: Window) -> float:
        known = [(a, b) for a, b in zip(x, y, strict=True) if not math.isnan(a + b)]
        return compute(*map(list, zip(*known, strict=True))) if enough(known, x) else math.nan

    return of_windows


def moment(values: list[float], power: int) -> float:
    """Central moment; exactly 0 where all values are equal."""
    centre = fmean(values)
    return 0.0 if min(values) == max(values) else fmean((value - centre) ** power for value in values)


mean = statistic(fmean)
highest = statistic(max)
lowest = statistic(min)


@statistic
def var(values: list[float]) -> float:
    return moment(values, 2) * len(values) / (len(values) - 1)


def std(window: Window) -> float:
    return root(var(window))


@statistic
def skew(values: list[float]) -> float:
    return ratio(moment(values, 3), moment(values, 2) ** 1.5)


@statistic
def kurt(values: list[float]) -> float:
    return ratio(moment(values, 4), moment(values, 2) ** 2) - 3


@statistic
def quantile(values: list[float], q: float) -> float:
    """Type 7 of Hyndman and Fan."""
    ordered, place = sorted(values), q * (len(values) - 1)
    below = ordered[math.floor(place)]
    return below + (place % 1) * (ordered[math.ceil(place)] - below)


@statistic
def drawdown(values: list[float]) -> float:
    return min(later - earlier for i, earlier in enumerate(values) for later in values[i:])


def since_highest(window: Window) -> float:
    """Sessions since the last of the highest values."""
    top = highest(window)
    return math.nan if math.isnan(top) else float(list(reversed(window)).index(top))


def since_lowest(window: Window) -> float:
    return since_highest([-value for value in window])


def place_of_last(window: Window) -> float:
    """Share of the other values below the last one, equals counting half."""
    last, others = window[-1], [value for value in window[:-1] if not math.isnan(value)]
    if math.isnan(last) or not enough([*others, last], window):
        return math.nan
    return sum((value < last) + (value == last) / 2 for value in others) / len(others)


def decayed_mean(window: Window) -> float:
    known = [(weight, value) for weight, value in enumerate(window, start=1) if not math.isnan(value)]
    if not enough(known, window):
        return math.nan
    return sum(weight * value for weight, value in known) / sum(weight for weight, _ in known)


def _products(x: list[float], y: list[float]) -> float:
    """Σ (x − x̄)(y − ȳ); exactly 0 where one of them does not move."""
    if min(x) == max(x) or min(y) == max(y):
        return 0.0
    x_mean, y_mean = fmean(x), fmean(y)
    return math.fsum((a - x_mean) * (b - y_mean) for a, b in zip(x, y, strict=True))


@statistic_of_pairs
def cov(x: list[float], y: list[float]) -> float:
    return _products(x, y) / (len(x) - 1)


@statistic_of_pairs
def corr(x: list[float], y: list[float]) -> float:
    return ratio(_products(x, y), math.sqrt(_products(x, x) * _products(y, y)))


@statistic_of_pairs
def beta(x: list[float], y: list[float]) -> float:
    """Slope of the least-squares line of y on x."""
    return ratio(_products(x, y), _products(x, x))


@statistic_of_pairs
def residual_std(x: list[float], y: list[float]) -> float:
    slope = ratio(_products(x, y), _products(x, x))
    level = fmean(y) - slope * fmean(x)
    return math.sqrt(sum((b - slope * a - level) ** 2 for a, b in zip(x, y, strict=True)) / (len(x) - 2))


@statistic_of_pairs
def height_at_the_end(x: list[float], y: list[float]) -> float:
    """Of the least-squares line of y on x, at the last x."""
    return fmean(y) + ratio(_products(x, y), _products(x, x)) * (x[-1] - fmean(x))


def slope(window: Window) -> float:
    return beta(range(len(window)), window)


def across(values: Sequence[float], of: Callable[[list[float]], float] = fmean) -> float:
    """A statistic of the stocks that have a value; NaN where fewer than five have."""
    known = [value for value in values if not math.isnan(value)]
    return of(known) if len(known) >= 5 else math.nan


def sector_mean(values: Sequence[float], sectors: Sequence[str]) -> list[float]:
    """The mean of each stock's sector, itself included; NaN where fewer than two of the sector have a value."""
    means = {}
    for sector in set(sectors):
        known = [value for value, other in zip(values, sectors, strict=True) if other == sector and value == value]
        means[sector] = fmean(known) if len(known) >= 2 else math.nan
    return [means[sector] for sector in sectors]


def less_sector(values: Sequence[float], sectors: Sequence[str]) -> list[float]:
    return [value - of_sector for value, of_sector in zip(values, sector_mean(values, sectors), strict=True)]


def rank(values: Sequence[float], sectors: Sequence[str]) -> list[float]:
    """From −1 to 1, equals sharing their mean rank; NaN where fewer than five stocks have a value."""
    known = [place for place, value in enumerate(values) if not math.isnan(value)]
    ranks = [math.nan] * len(values)
    if len(known) >= 5:
        for place, found in zip(known, rankdata([values[place] for place in known]), strict=True):
            ranks[place] = 2 * (float(found) - 1) / (len(known) - 1) - 1
    return ranks
