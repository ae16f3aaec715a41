"""The latest scores are those of the last session, with the weights of the portfolio's rule."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gogooku3.report.latest import SHOWN, latest
from gogooku3.report.results import Results

from ..pages.elements import Elements


def with_scores(results: Results, scores_S: list[float]) -> Results:
    """The last session has only these scores, of its first stocks, at every horizon."""
    predictions = results.predictions
    scores_TSH = predictions.scores_TSH.copy()
    scores_TSH[-1] = np.nan
    scores_TSH[-1, : len(scores_S)] = np.array(scores_S)[:, None]
    return replace(results, predictions=replace(predictions, scores_TSH=scores_TSH))


def test_both_ends_are_ordered_and_have_the_weights_of_the_rule(skilled: Results) -> None:
    found = latest(skilled)
    assert found is not None
    assert (found.session, found.stocks) == (str(skilled.predictions.sessions[-1]), 40)
    assert [row.rank for row in found.top + found.bottom] == [*range(1, SHOWN + 1), *range(41 - SHOWN, 41)]
    scores = [row.score for row in found.top + found.bottom]
    assert scores == sorted(scores, reverse=True)
    assert all(row.weight > 0 for row in found.top)
    assert all(row.weight < 0 for row in found.bottom)
    place = skilled.predictions.horizons.index(int(skilled.traded))
    scores_S = skilled.predictions.scores_TSH[-1, :, place]
    assert found.top[0].code == skilled.predictions.codes[int(np.argmax(scores_S))]
    assert found.top[0].sector == ("Foods" if np.argmax(scores_S) % 2 == 0 else "Mining")


def test_weights_sum_to_nothing_and_their_sizes_to_one(skilled: Results) -> None:
    found = latest(with_scores(skilled, [3.0, 1.0, -1.0, -3.0]))
    assert found is not None
    assert [(row.code, row.weight) for row in found.top] == [
        ("1300", pytest.approx(0.375)),
        ("1301", pytest.approx(0.125)),
    ]
    assert [(row.code, row.weight) for row in found.bottom] == [
        ("1302", pytest.approx(-0.125)),
        ("1303", pytest.approx(-0.375)),
    ]


def test_equal_scores_are_in_the_order_of_the_codes_and_few_stocks_are_shown_once(skilled: Results) -> None:
    found = latest(with_scores(skilled, [1.0, 2.0, 1.0]))
    assert found is not None
    assert found.stocks == 3
    assert [row.code for row in found.top] == ["1301"]
    assert [row.code for row in found.bottom] == ["1302"]


def test_a_split_without_scores_has_no_such_section(skilled: Results) -> None:
    nothing = np.full_like(skilled.predictions.scores_TSH, np.nan)
    results = replace(skilled, predictions=replace(skilled.predictions, scores_TSH=nothing))
    assert latest(results) is None


def test_the_page_shows_them(drawn: str, skilled: Results) -> None:
    found = latest(skilled)
    assert found is not None
    text = Elements(drawn).text
    section = text[text.index("Latest scores") :]
    for row in found.top + found.bottom:
        assert row.code in section
        assert f"{100 * row.weight:.2f} %".replace("-", "−") in section
