"""The machine-readable summary (JSON): the findings, and the statistics behind them."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from gogooku3.quality.checks import Findings, total
from gogooku3.quality.statistics import Statistics
from gogooku3.quality.tables import by_feature, by_month


def summary(statistics: Statistics, by_check: Findings) -> dict[str, Any]:
    """The content of `data_quality.json`; NaN is null."""
    findings = [{"check": check} | asdict(finding) for check, each in by_check.items() for finding in each]
    bar_counts = statistics.bar_counts
    content = {
        "sound": total(by_check, "fault") == 0,
        "faults": total(by_check, "fault"),
        "notes": total(by_check, "note"),
        "findings": findings,
        "dataset": {
            "abi": statistics.schema.abi,
            "first": str(bar_counts.sessions_T[0]),
            "last": str(bar_counts.sessions_T[-1]),
            "sessions": len(bar_counts.sessions_T),
            "stocks": bar_counts.stocks,
            "rows": int(statistics.columns.rows_M.sum()),
            "features": len(statistics.schema.features),
            "clip": statistics.clip,
        },
        "months": by_month(statistics).to_dicts(),
        "features": by_feature(statistics).to_dicts(),
    }
    return {name: _plain(value) for name, value in content.items()}


def _plain(value: Any) -> Any:
    """JSON-compatible values: floats rounded to six digits, NaN as null, infinity as a string."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return round(value, 6) if isinstance(value, float) else value
