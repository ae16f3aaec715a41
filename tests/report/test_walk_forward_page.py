"""The page shows a walk-forward with its folds, in addition to the results of the packaged model."""

from __future__ import annotations

from ..pages.elements import Elements


def test_the_series_and_every_fold_are_shown(drawn: str, drawn_whole: str) -> None:
    text = Elements(drawn_whole).text
    assert 'id="walk-forward"' in drawn_whole
    for expected_text in ("retrained on 2 folds", "2023-05-01 – 2023-07-28", "12.5 %"):
        assert expected_text in text
    assert drawn_whole.count("over the tests of all folds, with") == 2
    assert 'id="walk-forward"' not in drawn


def test_a_gap_is_shown_with_its_effect_on_the_metrics(drawn_whole: str) -> None:
    text = Elements(drawn_whole).text
    assert "1 gap. Without positions there, they count as returns of 0: that lowers the Sharpe ratio" in text
