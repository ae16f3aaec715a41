"""The live record: scores of past evenings against what came, beside the interval that the release promised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from gogooku3.assembly.history import History
from gogooku3.dataset.schema import positions
from gogooku3.errors import DataError
from gogooku3.features.targets import forward_returns
from gogooku3.metrics import ranking
from gogooku3.metrics.estimate import estimate
from gogooku3.metrics.session_mean import session_mean
from gogooku3.serving.release import read_metrics

Verdict = Literal["as promised", "worse", "better", "too early"]


@dataclass(frozen=True)
class Live:
    """The RankIC of past evenings for one horizon."""

    horizon: int
    sessions: int
    """Evenings whose forward return is known."""
    live: dict[str, Any]
    """`value`, `low` and `high`: the mean RankIC with its 95 % interval, as the evaluation computes it."""
    promised: dict[str, Any]
    """The same of the release, on its test split."""

    @property
    def verdict(self) -> Verdict:
        """`worse` or `better` if the two intervals do not overlap; `too early` without an interval."""
        bounds = [side[bound] for side in (self.live, self.promised) for bound in ("low", "high")]
        if None in bounds:
            return "too early"
        low, high, promised_low, promised_high = bounds
        return "worse" if high < promised_low else "better" if low > promised_high else "as promised"


def track(scores: Path, history: History, package: Path, horizons: Sequence[int]) -> list[Live]:
    """The live RankIC by horizon: each evening's own scores, as they were written then.

    Args:
        scores: the state's folder of past evenings.
        history: the bars of today, in which the returns since are known.
        horizons: the horizons of the model.

    Raises:
        DataError: no evening of the folder is a session of the bars.
    """
    sessions = history.sessions
    days = {str(day): row for row, day in enumerate(sessions)}
    paths = [path for path in sorted(scores.glob("*.parquet")) if path.stem in days]
    if not paths:
        raise DataError(
            f"no past evening with a session of these bars is in `{scores}`",
            hint="score some evenings first, with the same release and state folder",
        )
    first = days[paths[0].stem]
    market = history.market(first)
    y_HTS = forward_returns(market, list(horizons))
    frame = pl.concat([pl.read_parquet(path) for path in paths])
    codes = pl.Series(market.codes, dtype=pl.String)
    frame = frame.filter(pl.col("Code").is_in(codes.implode()))
    cells = positions(frame["Date"], pl.Series(market.sessions)), positions(frame["Code"], codes)
    promised = read_metrics(package)["test"]["rank_ic"]
    found = []
    for horizon, y_TS in zip(horizons, y_HTS, strict=True):
        scores_TS = np.full(y_TS.shape, np.nan)
        scores_TS[cells] = frame[f"score_{horizon}"].to_numpy()
        rank_ic_T = ranking.rank_ic(scores_TS, y_TS)
        live = session_mean(rank_ic_T, horizon)
        known = int((~np.isnan(rank_ic_T)).sum())
        of_release = {name: promised[str(horizon)][name] for name in ("value", "low", "high")}
        found.append(Live(horizon, known, estimate(live.value, live.bounds), of_release))
    return found
