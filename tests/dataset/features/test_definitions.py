"""Every feature equals a formula in plain Python that shares no code with it."""

from __future__ import annotations

import numpy as np
import pytest

from gogooku3.dataset.feature import Feature
from gogooku3.dataset.market import Market
from gogooku3.dataset.registry import select

from .bars import Session
from .references import ACROSS, SESSION, STOCK, reference, references

EVERY = select("full395")
ROWS = {"whole": (329,), "holed": (260, 318, 320), "still": (260, 329)}


@pytest.fixture(scope="module")
def sessions(markets: dict[str, Market]) -> dict[str, list[Session]]:
    return {name: [Session(markets[name], row) for row in rows] for name, rows in ROWS.items()}


@pytest.mark.parametrize("feature", EVERY, ids=[feature.name for feature in EVERY])
def test_a_feature_equals_its_formula(
    feature: Feature, markets: dict[str, Market], sessions: dict[str, list[Session]]
) -> None:
    formula = reference(feature.name)
    for name, market in markets.items():
        values = feature.values(market)
        for session in sessions[name]:
            found = np.broadcast_to(values[session.row], len(session.stocks))
            np.testing.assert_allclose(
                found, formula(session), rtol=1e-8, atol=1e-11, err_msg=f"{feature.name}, {name}, row {session.row}"
            )


def test_the_markets_try_every_feature_with_and_without_values(
    markets: dict[str, Market], sessions: dict[str, list[Session]]
) -> None:
    """A formula that is compared on missing values alone is not compared."""
    untried = []
    for feature in EVERY:
        values = {name: feature.values(markets[name])[list(rows)] for name, rows in ROWS.items()}
        assert np.isfinite(values["whole"]).all(), feature.name
        if feature.family != "calendar" and np.isfinite(values["holed"]).all():
            untried.append(feature.name)
    assert untried == []


def test_every_feature_has_one_formula() -> None:
    assert {feature.name: found for feature in EVERY if len(found := references(feature.name)) != 1} == {}


def test_every_formula_is_a_features_own() -> None:
    used = {pattern for feature in EVERY for pattern in references(feature.name)}
    assert {*STOCK, *SESSION, *ACROSS} - used == set()
