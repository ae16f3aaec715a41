"""Numbers as the pages write them: with a true minus, and a dash where there is none."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

UNDEFINED = "–"


def count(number: int, noun: str) -> str:
    """A number with its noun: `1 month`, `1,024 months`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def percent(share: float, digits: int = 0) -> str:
    """A share in per cent with some digits, or as many more as tell it from none and from all."""
    if 0.0 < share < 1.0:
        digits = next((n for n in range(digits, 4) if 0.0 < round(100 * share, n) < 100.0), 4)
    return f"{100 * share:.{digits}f} %"


def decimal(value: float | None, form: str = ".3f") -> str:
    """A number in a format of Python's; one in per cent keeps its distance from the sign."""
    if value is None or value != value:
        return UNDEFINED
    told = format(value, form).replace("%", " %")
    return told.replace("-", "−") if any(digit in told for digit in "123456789") else told.removeprefix("-")


def estimate(cell: Mapping[str, Any], form: str | None = None) -> Markup:
    """A value and, quieter, its interval; without a format as finely as `_fine` has it."""
    form = form or _fine([cell[name] for name in ("value", "low", "high")])
    value = decimal(cell["value"], form)
    if cell["value"] is None or cell["low"] is None or cell["high"] is None:
        return Markup('<span class="estimate">{}</span>').format(value)
    low, high = (decimal(cell[bound], form) for bound in ("low", "high"))
    return Markup('<span class="estimate">{} <span class="interval">[{}, {}]</span></span>').format(value, low, high)


def _fine(values: Sequence[float | None]) -> str:
    """Three decimals, or as many more as leave two digits of the largest."""
    largest = max((abs(value) for value in values if value is not None), default=0.0)
    return f".{max(3, 1 - math.floor(math.log10(largest))) if largest > 0.0 else 3}f"


def cell(text: str) -> Markup:
    """What another text has as `value [low, high]`, as `estimate` shows it."""
    value, opening, bounds = text.replace("-", "−").partition(" [")
    interval = Markup(' <span class="interval">[{}</span>').format(bounds) if opening else ""
    return Markup('<span class="estimate">{}{}</span>').format(value, interval)


def code(text: str) -> Markup:
    """Text in which what stands in backticks is code."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before
