"""The report for programs: the findings, and the counts that they were judged by."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from gogooku3.quality.checks import Found, total
from gogooku3.quality.survey import Survey
from gogooku3.quality.tables import by_feature, by_month


def summary(survey: Survey, found: Found) -> dict[str, Any]:
    """The content of `data_quality.json`; a number that there is not is null."""
    findings = [{"check": check} | asdict(finding) for check, each in found.items() for finding in each]
    attendance = survey.attendance
    content = {
        "sound": total(found, "fault") == 0,
        "faults": total(found, "fault"),
        "notes": total(found, "note"),
        "findings": findings,
        "dataset": {
            "abi": survey.schema.abi,
            "first": str(attendance.sessions_T[0]),
            "last": str(attendance.sessions_T[-1]),
            "sessions": len(attendance.sessions_T),
            "stocks": attendance.stocks,
            "rows": int(survey.columns.rows_M.sum()),
            "features": len(survey.schema.features),
            "clip": survey.clip,
        },
        "months": by_month(survey).to_dicts(),
        "features": by_feature(survey).to_dicts(),
    }
    return {name: _plain(value) for name, value in content.items()}


def _plain(value: Any) -> Any:
    """What JSON can hold: shares in six digits, NaN as null, an infinity in words."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return round(value, 6) if isinstance(value, float) else value
