"""Rolling-window statistics over the last `window` sessions along axis 0 (time), independently for all other axes.

A statistic at row t reads only rows t − window + 1 … t. It is NaN in the first `window` − 1 rows and if fewer than
`required(window)` of its values are known (not NaN); statistics of two series use the sessions in which both are known.
So the bits of a value do not depend on the start or end of the history.
"""

from gogooku3.features.rolling.extremes import highest, lowest, max_drawdown, since_highest, since_lowest
from gogooku3.features.rolling.moments import decayed_mean, kurt, mean, skew, std, var
from gogooku3.features.rolling.order import median, quantile, rank_of_last
from gogooku3.features.rolling.pairs import beta, corr, cov, off_line, r2, residual_std, slope
from gogooku3.features.rolling.windows import required, shift

__all__ = [
    "beta",
    "corr",
    "cov",
    "decayed_mean",
    "highest",
    "kurt",
    "lowest",
    "max_drawdown",
    "mean",
    "median",
    "off_line",
    "quantile",
    "r2",
    "rank_of_last",
    "required",
    "residual_std",
    "shift",
    "since_highest",
    "since_lowest",
    "skew",
    "slope",
    "std",
    "var",
]
