"""Every feature equals a formula in plain Python that shares no code with it."""

from __future__ import annotations

import numpy as np
import pytest

from gogooku3.features.feature import Feature
from gogooku3.features.market import Market
from gogooku3.features.registry import select

from ...assembly.conftest import Frames
from .bars import Session
from .references import ACROSS, SESSION, STOCK, reference, references

EVERY = select("full")
ROWS = {"whole": (329,), "holed": (260, 318, 320), "still": (260, 329)}


@pytest.fixture(scope="module")
def sessions(markets: dict[str, Market]) -> dict[str, list[Session]]:
    return {name: [Session(markets[name], row) for row in rows] for name, rows in ROWS.items()}


@pytest.mark.parametrize("feature", EVERY, ids=[feature.name for feature in EVERY])
def test_a_feature_equals_its_formula(
    feature: Feature, markets: dict[str, Market], sessions: dict[str, list[Session]]
) -> None:
    for name in markets:
        for session in sessions[name]:
            equals_its_formula(feature, session)


def equals_its_formula(feature: Feature, session: Session) -> None:
    values, expected = feature.values(session.market)[session.row], reference(feature.name)(session)
    label = f"{feature.name}, session {session.days[-1]}"
    np.testing.assert_allclose(np.broadcast_to(values, len(expected)), expected, rtol=1e-8, atol=1e-11, err_msg=label)


def test_every_feature_equals_its_formula_on_real_bars(real: Frames) -> None:
    market = real.market()
    session = Session(market, len(market.sessions) - 1)
    for feature in EVERY:
        equals_its_formula(feature, session)


def test_the_markets_cover_every_feature_with_and_without_values(
    markets: dict[str, Market], sessions: dict[str, list[Session]]
) -> None:
    """A comparison of missing values only would test nothing."""
    untried = []
    for feature in EVERY:
        values = {name: feature.values(markets[name])[list(rows)] for name, rows in ROWS.items()}
        assert np.isfinite(values["whole"]).all(), feature.name
        if feature.family != "calendar" and np.isfinite(values["holed"]).all():
            untried.append(feature.name)
    assert untried == []


def test_every_feature_has_one_formula() -> None:
    assert {feature.name: found for feature in EVERY if len(found := references(feature.name)) != 1} == {}


def test_every_formula_belongs_to_a_feature() -> None:
    used = {pattern for feature in EVERY for pattern in references(feature.name)}
    assert {*STOCK, *SESSION, *ACROSS} - used == set()
