"""One page of an evening: what to trade, what changed since the session before, and what the checks found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from gogooku3.pages.template import environment
from gogooku3.runtime.files import replaced_file
from gogooku3.serving.drift import LARGE, MODERATE, Shift
from gogooku3.serving.evening import Evening

SHOWN = 15
"""Stocks at each end, and rows of the other tables."""
_CLASSES = {"passed": "is-good", "noted": "", "warning": "is-note", "failed": "is-fault"}


def write(evening: Evening, target: Path) -> None:
    """Writes the page as one HTML file without scripts or outside links."""
    template = environment(Path(__file__).parent).get_template("evening.html.j2")
    with replaced_file(target) as partial:
        partial.write_text(template.render(content(evening)), encoding="utf-8")


def content(evening: Evening) -> dict[str, Any]:
    """The values of the page."""
    panel = evening.scored.panel
    horizon = _traded(evening)
    scores_TS = evening.scored.scores_TSH[..., horizon]
    rank_S, before_S = _ranks(scores_TS[-1]), _ranks(scores_TS[-2]) if len(scores_TS) > 1 else None
    present_S = np.flatnonzero(panel.present_TS[-1])
    order = present_S[np.argsort(rank_S[present_S], kind="stable")]

    def row(stock: int) -> dict[str, Any]:
        known = before_S is not None and np.isfinite(before_S[stock])
        return {
            "code": panel.codes[stock],
            "rank": int(rank_S[stock]),
            "moved": int(before_S[stock] - rank_S[stock]) if known and before_S is not None else None,
            "score": float(scores_TS[-1, stock]),
            "weight": float(evening.weights_TS[-1, stock]),
        }

    rows = [row(stock) for stock in order]
    moved = sorted((each for each in rows if each["moved"]), key=lambda each: (-abs(each["moved"]), each["rank"]))
    return {
        "name": evening.release.name,
        "session": str(panel.sessions[-1]),
        "before": str(panel.sessions[-2]) if len(panel.sessions) > 1 else None,
        "horizon": panel.horizons[horizon],
        "stock_count": len(rows),
        "long": sum(each["weight"] > 0 for each in rows),
        "short": sum(each["weight"] < 0 for each in rows),
        "largest": max((abs(each["weight"]) for each in rows), default=0.0),
        "change": _change_of_weights(evening),
        "top": rows[:SHOWN],
        "bottom": rows[::-1][:SHOWN],
        "moved": moved[:SHOWN],
        "findings": [
            {
                "name": each.name,
                "level": each.level,
                "found": each.found,
                "hint": each.hint,
                "css": _CLASSES[each.level],
            }
            for each in evening.findings
        ],
        "worst": _worst(evening),
        "refused": [each.name for each in evening.refused],
        "accepted": [each.name for each in evening.findings if each.level == "failed" and each not in evening.refused],
        "shifts": [
            {"name": each.name, "psi": each.psi, "noise": each.noise, "css": _shift_class(each)}
            for each in evening.shifts[:SHOWN]
        ],
    }


def _traded(evening: Evening) -> int:
    """The position of the horizon that the release's portfolio trades."""
    params = evening.release.params
    horizons = evening.scored.panel.horizons
    return 0 if params is None else horizons.index(params.evaluation.portfolio.horizon)


def _ranks(scores_S: np.ndarray) -> np.ndarray:
    """1 for the highest score; NaN without one."""
    ranks_S = np.full(len(scores_S), np.nan)
    known = np.flatnonzero(np.isfinite(scores_S))
    ranks_S[known[np.argsort(-scores_S[known], kind="stable")]] = np.arange(1, len(known) + 1)
    return ranks_S


def _change_of_weights(evening: Evening) -> float | None:
    """Sum of absolute changes of the target weights since the session before, without price drift."""
    scored = evening.scored
    if len(scored.panel.sessions) - scored.first < 2:
        return None
    return float(np.abs(evening.weights_TS[-1] - evening.weights_TS[-2]).sum())


def _worst(evening: Evening) -> str:
    levels = {finding.level for finding in evening.findings}
    return "has-fault" if "failed" in levels else "has-note" if "warning" in levels else ""


def _shift_class(shift: Shift) -> str:
    return "is-fault" if shift.beyond(LARGE) else "is-note" if shift.beyond(MODERATE) else ""
