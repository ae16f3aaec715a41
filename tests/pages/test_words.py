"""Number formats of the pages."""

from __future__ import annotations

import math

import pytest

from gogooku3.pages.words import cell, decimal, estimate


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (-0.1234, ".3f", "−0.123"),
        (-0.0001, ".3f", "0.000"),
        (0.256, ".1%", "25.6 %"),
        (1234567.0, ",.0f", "1,234,567"),
        (None, ".3f", "–"),
        (math.nan, ".3f", "–"),
    ],
)
def test_a_number_has_a_true_minus_and_an_undefined_one_is_a_dash(value: float | None, form: str, text: str) -> None:
    assert decimal(value, form) == text


def test_a_value_has_its_interval_if_it_is_known() -> None:
    whole = estimate({"value": 0.5, "low": -0.25, "high": 1.0}, ".2f")
    assert whole.striptags() == "0.50 [−0.25, 1.00]"
    assert cell("0.50 [-0.25, 1.00]") == whole
    assert estimate({"value": 0.5, "low": None, "high": None}, ".2f").striptags() == "0.50"
    assert cell("undefined").striptags() == "undefined"


@pytest.mark.parametrize(
    ("bounds", "text"),
    [
        ((0.18, 0.137, 0.2327), "0.180 [0.137, 0.233]"),
        ((0.0024, -0.0019, 0.00689), "0.0024 [−0.0019, 0.0069]"),
        ((-0.000114, -0.000407, 0.000191), "−0.00011 [−0.00041, 0.00019]"),
        ((0.0, 0.0, 0.0), "0.000 [0.000, 0.000]"),
    ],
)
def test_a_small_estimate_is_not_rounded_away(bounds: tuple[float, float, float], text: str) -> None:
    assert estimate(dict(zip(("value", "low", "high"), bounds, strict=True))).striptags() == text


def test_text_is_escaped() -> None:
    assert "<b>" not in cell("<b>1</b> [<i>, 2]")
