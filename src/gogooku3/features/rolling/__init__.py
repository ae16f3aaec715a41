"""Statistics over the last `window` sessions: axis 0 is time, any axes after it are computed side by side.

A statistic at row t reads rows t − window + 1 … t and nothing else. It is NaN in the first `window` − 1 rows and
wherever fewer than `required(window)` of its values are known (not NaN); statistics of two series use the sessions
in which both are known. So a value has the same bits wherever history begins or ends.
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
