"""Number formats of the pages: a true minus sign, a dash for undefined values, confidence intervals."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

UNDEFINED = "–"


def count(number: int, noun: str) -> str:
    """A count with a noun: `1 month`, `1,024 months`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def percent(share: float, digits: int = 0) -> str:
    """A share in per cent, with more digits if it would be rounded to 0 % or 100 %."""
    if 0.0 < share < 1.0:
        digits = next((n for n in range(digits, 4) if 0.0 < round(100 * share, n) < 100.0), 4)
    return f"{100 * share:.{digits}f} %"


def decimal(value: float | None, form: str = ".3f") -> str:
    """A number in a Python format, with a space before the per cent sign and without a negative zero."""
    if value is None or value != value:
        return UNDEFINED
    text = format(value, form).replace("%", " %")
    return text.replace("-", "−") if any(digit in text for digit in "123456789") else text.removeprefix("-")


def estimate(cell: Mapping[str, Any], form: str | None = None) -> Markup:
    """A value with its confidence interval; the default format is that of `_format_of`."""
    form = form or _format_of([cell[name] for name in ("value", "low", "high")])
    value = decimal(cell["value"], form)
    if cell["value"] is None or cell["low"] is None or cell["high"] is None:
        return Markup('<span class="estimate">{}</span>').format(value)
    low, high = (decimal(cell[bound], form) for bound in ("low", "high"))
    return Markup('<span class="estimate">{} <span class="interval">[{}, {}]</span></span>').format(value, low, high)


def _format_of(values: Sequence[float | None]) -> str:
    """Three decimals, or more if the largest value needs them for two significant digits."""
    largest = max((abs(value) for value in values if value is not None), default=0.0)
    return f".{max(3, 1 - math.floor(math.log10(largest))) if largest > 0.0 else 3}f"


def cell(text: str) -> Markup:
    """Formats a text `value [low, high]` like `estimate`."""
    value, opening, bounds = text.replace("-", "−").partition(" [")
    interval = Markup(' <span class="interval">[{}</span>').format(bounds) if opening else ""
    return Markup('<span class="estimate">{}{}</span>').format(value, interval)


def code(text: str) -> Markup:
    """Converts text in backticks to `<code>` elements."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before
