"""Numbers as the pages write them: with a true minus, and a dash where there is none."""

from __future__ import annotations

import re
from collections.abc import Mapping
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


def estimate(cell: Mapping[str, Any], form: str = ".3f") -> Markup:
    """A value and, quieter, its interval."""
    value = decimal(cell["value"], form)
    if cell["value"] is None or cell["low"] is None or cell["high"] is None:
        return Markup('<span class="estimate">{}</span>').format(value)
    low, high = (decimal(cell[bound], form) for bound in ("low", "high"))
    return Markup('<span class="estimate">{} <span class="interval">[{}, {}]</span></span>').format(value, low, high)


def cell(text: str) -> Markup:
    """What another text has as `value [low, high]`, as `estimate` shows it."""
    value, opening, bounds = text.replace("-", "−").partition(" [")
    interval = Markup(' <span class="interval">[{}</span>').format(bounds) if opening else ""
    return Markup('<span class="estimate">{}{}</span>').format(value, interval)


def code(text: str) -> Markup:
    """Text in which what stands in backticks is code."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before
