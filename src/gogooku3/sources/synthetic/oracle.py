"""The oracle (upper bound): theoretical and realised IC and RankIC of the best possible model of a synthetic market."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl

from gogooku3.config.quotes import Planted
from gogooku3.sources.synthetic.alpha_signals import HORIZONS, PHASE_DECAY, explained_variance
from gogooku3.sources.synthetic.shocks import OWN_SHARE, STATE_DECAY, STOCK, dispersion
from gogooku3.sources.synthetic.universe import Universe

_DIGITS = 6


def summarise(planted: Planted, universe: Universe, bars: pl.DataFrame, scores: pl.DataFrame) -> dict[str, Any]:
    """Planted strengths and, per horizon, the theoretical `ic` and `rank_ic` and the realised mean RankIC.

    `rank_ic` follows from `ic` by the relation of Spearman's to Pearson's correlation under a normal
    distribution, 6/π·asin(ic/2) (Pearson, 1907). These returns have fatter tails, which changes it by a few per cent.
    """
    realised = {horizon: _rank_ics(bars, scores, horizon) for horizon in HORIZONS}
    return {
        "planted": asdict(planted),
        "horizons": {
            str(horizon): {
                "ic": round(ic := theory(planted, universe, horizon), _DIGITS),
                "rank_ic": round(6 / np.pi * float(np.arcsin(ic / 2)), _DIGITS),
                "realised_rank_ic": _mean(realised[horizon]),
                "sessions": len(realised[horizon]),
            }
            for horizon in HORIZONS
        },
    }


def theory(planted: Planted, universe: Universe, horizon: int) -> float:
    """Theoretical IC: cross-sectional correlation of the oracle's score with the return over a horizon.

    It is the standard deviation of the score divided by that of the return, because the score is the return's
    conditional expectation. In units of one session's variance of returns, with lags k, l from 0 to h − 1:

    - score: s_slow²·(Σ ρ^k)² + s_freq²·E|Σ (δ e^{iω})^k|² + s_rev² + s_nb²
    - return: h·(1 − Σ s²) for the shocks, s_slow²·ΣΣ ρ^|k−l| + s_freq²·ΣΣ E δ^|k−l| cos ω(k−l) + h·(s_rev² + s_nb²)
      for the alphas, and −2(h − 1)·s_rev·√q for shocks that reverse in the next session, where q is the share of the
      idiosyncratic shock in the variance.
    """
    share = explained_variance(planted, universe)
    total, once = sum(share.values()), share["reversal"] + share["neighbours"]
    lag = np.arange(horizon)
    pairs = np.where(lag == 0, horizon, 2 * (horizon - lag))  # pairs of sessions at a distance of `lag`
    turn_KS = np.exp(2j * np.pi * lag[:, None] / universe.period_S) * PHASE_DECAY ** lag[:, None]
    score = (
        share["slow"] * float((STATE_DECAY**lag).sum()) ** 2
        + share["frequency"] * float((np.abs(turn_KS.sum(axis=0)) ** 2).mean())
        + once
    )
    own = OWN_SHARE * STOCK**2 / dispersion(universe, 1.0) * (1 - total)
    returns = (
        horizon * (1 - total + once)
        + share["slow"] * float((pairs * STATE_DECAY**lag).sum())
        + share["frequency"] * float((pairs * turn_KS.real.mean(axis=1)).sum())
        - 2 * (horizon - 1) * (share["reversal"] * own) ** 0.5
    )
    return float((score / returns) ** 0.5)


def _rank_ics(bars: pl.DataFrame, scores: pl.DataFrame, horizon: int) -> pl.Series:
    """RankIC of score and forward return, one per session in which both vary."""
    session = pl.col("Date").rank("dense").cast(pl.Int64)
    adjusted = bars.select(
        "Code",
        "Date",
        session=session,
        close=pl.col("Close") / pl.col("AdjustmentFactor").cum_prod().over("Code"),
    )
    later = adjusted.select("Code", session=pl.col("session") - horizon, later="close")
    by_session = (
        adjusted.with_columns(score=scores[f"oracle_{horizon}"])
        .join(later, on=["Code", "session"], how="inner", maintain_order="left")
        .group_by("Date", maintain_order=True)
        .agg(pl.corr("score", pl.col("later") / pl.col("close"), method="spearman").alias("rank_ic"))
    )
    return by_session["rank_ic"].fill_nan(None).drop_nulls()


def _mean(values: pl.Series) -> float | None:
    mean = values.mean()
    return round(mean, _DIGITS) if isinstance(mean, float) else None
