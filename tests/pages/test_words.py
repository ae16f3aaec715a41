"""Numbers as pages write them."""

from __future__ import annotations

import math

import pytest

from gogooku3.pages.words import cell, decimal, estimate


@pytest.mark.parametrize(
    ("value", "form", "told"),
    [
        (-0.1234, ".3f", "−0.123"),
        (-0.0001, ".3f", "0.000"),
        (0.256, ".1%", "25.6 %"),
        (1234567.0, ",.0f", "1,234,567"),
        (None, ".3f", "–"),
        (math.nan, ".3f", "–"),
    ],
)
def test_a_number_has_a_true_minus_and_nothing_is_a_dash(value: float | None, form: str, told: str) -> None:
    assert decimal(value, form) == told


def test_an_interval_stands_beside_its_value_as_far_as_it_is_known() -> None:
    whole = estimate({"value": 0.5, "low": -0.25, "high": 1.0}, ".2f")
    assert whole.striptags() == "0.50 [−0.25, 1.00]"
    assert cell("0.50 [-0.25, 1.00]") == whole
    assert estimate({"value": 0.5, "low": None, "high": None}, ".2f").striptags() == "0.50"
    assert cell("undefined").striptags() == "undefined"


@pytest.mark.parametrize(
    ("bounds", "told"),
    [
        ((0.18, 0.137, 0.2327), "0.180 [0.137, 0.233]"),
        ((0.0024, -0.0019, 0.00689), "0.0024 [−0.0019, 0.0069]"),
        ((-0.000114, -0.000407, 0.000191), "−0.00011 [−0.00041, 0.00019]"),
        ((0.0, 0.0, 0.0), "0.000 [0.000, 0.000]"),
    ],
)
def test_a_small_estimate_is_not_rounded_away(bounds: tuple[float, float, float], told: str) -> None:
    assert estimate(dict(zip(("value", "low", "high"), bounds, strict=True))).striptags() == told


def test_what_a_text_holds_is_never_markup() -> None:
    assert "<b>" not in cell("<b>1</b> [<i>, 2]")
