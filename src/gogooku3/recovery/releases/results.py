"""What a revision's own results prove: the numbers behind its metrics, read from Git."""

from __future__ import annotations

import json
import math
from pathlib import Path

import polars as pl

from gogooku3.metrics.returns import SESSIONS_PER_YEAR
from gogooku3.metrics.sharpe_significance import TrackRecord
from gogooku3.recovery.releases import git
from gogooku3.recovery.releases.record import Estimate


def track_record(root: Path, rev: str, split: str) -> TrackRecord | None:
    """What a revision's Sharpe ratio on a split proves; None where its metrics do not hold what that depends on."""
    text = git.show(root, rev, f"metrics/{split}.json")
    try:
        table = json.loads(text or "{}")
        sharpe = table["sharpe"]
        ratio = sharpe["value"] / math.sqrt(SESSIONS_PER_YEAR)
        return TrackRecord(ratio, int(table["sessions"]), float(sharpe["skewness"]), float(sharpe["kurtosis"]))
    except (ValueError, KeyError, TypeError):
        return None


def sessions(root: Path, rev: str, split: str) -> pl.DataFrame | None:
    """What a revision's metrics of a split are means of (`Evaluation.sessions`); None where it does not have them."""
    text = git.show(root, rev, f"metrics/sessions/{split}.csv")
    return None if text is None else pl.read_csv(text.encode(), try_parse_dates=True)


def mean_rank_ic(root: Path, rev: str, split: str) -> Estimate:
    """A revision's RankIC over all horizons with its interval; undefined where its metrics do not hold it."""
    text = git.show(root, rev, f"metrics/{split}.json")
    try:
        cell = json.loads(text or "{}")["mean_rank_ic"]
        return Estimate(cell["value"], cell["low"], cell["high"])
    except (ValueError, KeyError, TypeError):
        return Estimate(None, None, None)
