"""Our features that pandas and qlib can express too: most families of qlib's Alpha158, with one or two windows each.

qlib's definitions are strings of its expression engine. If Alpha158 uses a price and our feature its logarithm, the
expression uses the logarithm, so that the values are the same. Alpha158's family is in the comment above each.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from peers.rolling_pandas import Bars


@dataclass(frozen=True)
class Definition:
    """One feature."""

    name: str
    """Our name of the feature."""
    pandas: Callable[[Bars], pd.Series]
    qlib: str


_R = "Log($close/Ref($close,1))"
_CHANGE = "($close-Ref($close,1))"
_VOLUME_CHANGE = "($volume-Ref($volume,1))"
_MOVED = f"(Abs({_R})*$volume)"
_SKEW = math.sqrt(60 * 59) / 58
"""Sample skewness over population skewness of 60 values."""


def _slope(b: Bars, n: int) -> pd.Series:
    return b.pairs(n, b.log_close, b.time, "cov") / b.over(n, b.time, "var")


DEFINITIONS = (
    # KMID2
    Definition("body_1", lambda b: (b.close - b.open) / (b.high - b.low), "($close-$open)/($high-$low)"),
    # ROC
    *(
        Definition(f"ret_{n}", lambda b, n=n: np.log(b.close / b.last(b.close, n)), f"Log($close/Ref($close,{n}))")
        for n in (1, 20)
    ),
    Definition(
        "ret_overnight_20",
        lambda b: b.over(20, np.log(b.open / b.last(b.close)), "mean"),
        "Mean(Log($open/Ref($close,1)),20)",
    ),
    *(Definition(f"vol_close_{n}", lambda b, n=n: b.over(n, b.r, "std"), f"Std({_R},{n})") for n in (20, 60, 250)),
    Definition(
        "vol_parkinson_20",
        lambda b: np.sqrt(b.over(20, np.log(b.high / b.low) ** 2, "mean") / (4 * math.log(2))),
        f"Power(Mean(Power(Log($high/$low),2),20)/{4 * math.log(2)},0.5)",
    ),
    Definition(
        "vol_ratio_5_20",
        lambda b: np.log(b.over(5, b.r, "std") / b.over(20, b.r, "std")),
        f"Log(Std({_R},5)/Std({_R},20))",
    ),
    # MA
    *(
        Definition(
            f"price_to_mean_{n}",
            lambda b, n=n: np.log(b.close / b.over(n, b.close, "mean")),
            f"Log($close/Mean($close,{n}))",
        )
        for n in (5, 20)
    ),
    # STD
    Definition("price_std_20", lambda b: b.over(20, b.close, "std") / b.close, "Std($close,20)/$close"),
    Definition(
        "price_to_median_20",
        lambda b: b.log_close - b.over(20, b.log_close, "median"),
        "Log($close)-Med(Log($close),20)",
    ),
    # BETA
    *(Definition(f"trend_slope_{n}", lambda b, n=n: _slope(b, n), f"Slope(Log($close),{n})") for n in (20, 60)),
    # RSQR
    *(
        Definition(
            f"trend_r2_{n}",
            lambda b, n=n: b.pairs(n, b.log_close, b.time, "corr") ** 2,
            f"Rsquare(Log($close),{n})",
        )
        for n in (20, 60)
    ),
    # RESI
    Definition(
        "trend_residual_60",
        lambda b: b.log_close - b.over(60, b.log_close, "mean") - 29.5 * _slope(b, 60),
        "Resi(Log($close),60)",
    ),
    # MAX
    *(
        Definition(
            f"high_distance_{n}",
            lambda b, n=n: np.log(b.close / b.over(n, b.high, "max")),
            f"Log($close/Max($high,{n}))",
        )
        for n in (20, 250)
    ),
    # MIN
    Definition("low_distance_60", lambda b: np.log(b.close / b.over(60, b.low, "min")), "Log($close/Min($low,60))"),
    # RANK
    *(
        Definition(
            f"price_place_{n}",
            lambda b, n=n: (b.over(n, b.close, "rank") - 1) / (n - 1),
            f"(Rank($close,{n})*{n}-1)/{n - 1}",
        )
        for n in (20, 60)
    ),
    # RSV
    Definition(
        "stochastic_14",
        lambda b: (b.close - b.over(14, b.low, "min")) / (b.over(14, b.high, "max") - b.over(14, b.low, "min")),
        "($close-Min($low,14))/(Max($high,14)-Min($low,14))",
    ),
    Definition(
        "bollinger_z_20",
        lambda b: (b.close - b.over(20, b.close, "mean")) / b.over(20, b.close, "std"),
        "($close-Mean($close,20))/Std($close,20)",
    ),
    # SUMP
    Definition(
        "rsi_14",
        lambda b: b.over(14, np.maximum(b.change, 0), "mean") / b.over(14, np.abs(b.change), "mean"),
        f"Mean(Greater({_CHANGE},0),14)/Mean(Abs({_CHANGE}),14)",
    ),
    # QTLD, QTLU
    *(
        Definition(
            f"quantile_{percent}_60",
            lambda b, q=percent / 100: b.over(60, b.r, "quantile", q),
            f"Quantile({_R},60,{percent / 100})",
        )
        for percent in (10, 90)
    ),
    Definition("max_return_20", lambda b: b.over(20, b.r, "max"), f"Max({_R},20)"),
    Definition("skew_60", lambda b: b.over(60, b.r, "skew") / _SKEW, f"Skew({_R},60)/{_SKEW}"),
    Definition(
        "kurt_60",
        lambda b: (b.over(60, b.r, "kurt") * (58 * 57 / 59) - 6) / 61,
        f"(Kurt({_R},60)*{58 * 57 / 59}-6)/61",
    ),
    # CNTP
    Definition(
        "up_share_60", lambda b: b.over(60, (b.change > 0).astype(float), "mean"), "Mean($close>Ref($close,1),60)"
    ),
    # CORR
    *(
        Definition(
            f"volume_price_corr_{n}",
            lambda b, n=n: b.pairs(n, b.log_close, b.log_volume, "corr"),
            f"Corr(Log($close),Log($volume),{n})",
        )
        for n in (20, 60)
    ),
    # CORD
    Definition(
        "volume_change_corr_20",
        lambda b: b.pairs(20, b.r, np.log(b.volume / b.last(b.volume)), "corr"),
        f"Corr({_R},Log($volume/Ref($volume,1)),20)",
    ),
    Definition("log_turnover_20", lambda b: np.log(b.over(20, b.turnover, "mean")), "Log(Mean($turnover,20))"),
    # VMA
    Definition(
        "volume_ratio_1_20",
        lambda b: np.log(b.volume / b.over(20, b.volume, "mean")),
        "Log($volume/Mean($volume,20))",
    ),
    # VSTD
    Definition("volume_std_20", lambda b: b.over(20, b.log_volume, "std"), "Std(Log($volume),20)"),
    # VSUMP
    Definition(
        "volume_gain_share_20",
        lambda b: b.over(20, np.maximum(b.volume_change, 0), "mean") / b.over(20, np.abs(b.volume_change), "mean"),
        f"Mean(Greater({_VOLUME_CHANGE},0),20)/Mean(Abs({_VOLUME_CHANGE}),20)",
    ),
    # WVMA
    Definition(
        "moved_volume_variation_20",
        lambda b: b.over(20, b.moved_volume, "std") / b.over(20, b.moved_volume, "mean"),
        f"Std({_MOVED},20)/Mean({_MOVED},20)",
    ),
)
