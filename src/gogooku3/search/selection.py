"""How much of a search's result is selection: statistics over the sessions of all trials, on validation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import polars as pl

from gogooku3.config.evaluation import Bootstrap
from gogooku3.errors import DataError
from gogooku3.metrics.cross_section import Floats
from gogooku3.metrics.overfitting import overfitting_probability
from gogooku3.metrics.paired_difference import horizons_of
from gogooku3.metrics.session_mean import session_mean
from gogooku3.metrics.sharpe_significance import Trials, deflated_mean
from gogooku3.metrics.superior_ability import superior_ability
from gogooku3.objective import SHARPE, horizon_of
from gogooku3.recovery.releases import sessions
from gogooku3.search import experiments


def tracks(root: Path, commit: str, names: Iterable[str]) -> dict[str, pl.DataFrame]:
    """Values by session on validation, of the experiments that have them, by name."""
    found = {}
    for name in names:
        try:
            track = sessions.read(root, experiments.reference(commit, name), "validation")
        except DataError:
            continue
        if track is not None and horizons_of(track):
            found[name] = track
    return found


def deflated_rank_ic(track: pl.DataFrame | None, trials: Trials) -> float | None:
    """Deflated mean RankIC over the horizons; None if undefined."""
    if track is None:
        return None
    return _number(deflated_mean(session_mean(_rank_ics(track), max(horizons_of(track))), trials))


def overfitting(tracks: Mapping[str, pl.DataFrame], objective: str) -> float | None:
    """Probability of backtest overfitting of choosing by the objective; None if undefined."""
    values_TN, horizon = _values(tracks, objective)
    return _number(overfitting_probability(values_TN, horizon, sharpe=objective == SHARPE))


def superior(
    tracks: Mapping[str, pl.DataFrame], objective: str, benchmark: str | None, params: Bootstrap
) -> float | None:
    """p-value of Hansen's test of the other trials against a benchmark, by RankIC or return; None if undefined."""
    if benchmark is None or benchmark not in tracks or len(tracks) < 2:
        return None
    values_TN, horizon = _values(tracks, objective)
    place = list(tracks).index(benchmark)
    gains_TN = np.delete(values_TN - values_TN[:, [place]], place, axis=1)
    return _number(superior_ability(gains_TN, params, horizon))


def _values(tracks: Mapping[str, pl.DataFrame], objective: str) -> tuple[Floats, int]:
    """[T, N] what the objective averages, over the sessions that all trials have, and the horizon of its targets."""
    if not tracks:
        return np.empty((0, 0)), 1
    common = set.intersection(*({*track["Date"]} for track in tracks.values()))
    rows = [track.filter(pl.col("Date").is_in(list(common))).sort("Date") for track in tracks.values()]
    if objective == SHARPE:
        return np.stack([each["net"].to_numpy() for each in rows], axis=1), 1
    horizon = horizon_of(objective)
    if horizon is not None:
        return np.stack([each[f"rank_ic_{horizon}"].to_numpy() for each in rows], axis=1), horizon
    # Sessions without the longest target are left out: the mean over the horizons is one of all of them.
    return np.stack([_rank_ics(each).mean(axis=1) for each in rows], axis=1), max(horizons_of(rows[0]))


def _rank_ics(track: pl.DataFrame) -> Floats:
    return track.select(f"rank_ic_{horizon}" for horizon in horizons_of(track)).to_numpy()


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
