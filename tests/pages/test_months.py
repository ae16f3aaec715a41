"""The time axis in months, and its labels."""

from __future__ import annotations

import polars as pl
import pytest

from gogooku3.pages.months import Months
from gogooku3.pages.svg import NARROW, WIDE


def test_days_are_converted_to_months_from_the_first() -> None:
    months = Months("2023-05", 8)
    days = pl.Series(["2023-05-01", "2023-05-16", "2023-06-01", "2023-12-31"]).str.to_date()
    assert months.of(days).to_list() == pytest.approx([0.0, 15 / 31, 1.0, 7 + 30 / 31])
    assert months.until("2023-06-16") == pytest.approx(1.5)


def test_months_span_all_days() -> None:
    months = Months.spanning(pl.Series(["2023-11-30", "2024-02-01"]).str.to_date())
    assert months == Months("2023-11", 4)


@pytest.mark.parametrize(
    ("number", "wide", "narrow"),
    [(8, 8, 4), (36, 12, 3), (60, 10, 5), (150, 6, 2)],
)
def test_the_number_of_labels_fits_the_frame(number: int, wide: int, narrow: int) -> None:
    for frame, labels in ((WIDE, wide), (NARROW, narrow)):
        axis = Months("2021-01", number).x("month", frame).to_dict()["axis"]
        assert len(axis["values"]) == labels <= frame.labels
