"""The population stability index, and when it counts as drift."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2

from gogooku3.dataset.schema import Column, Schema
from gogooku3.panel.panel import Panel
from gogooku3.serving import drift
from gogooku3.serving.scorer import Scored

STOCKS, SESSIONS = 400, 20


def schema_of(panel: Panel) -> Schema:
    return Schema(tuple(Column(name, "returns", 1, "stock", "", "float32") for name in panel.features), (1, 5), 3)


@pytest.fixture
def draw(panel: Panel) -> Any:
    """Scored sessions of independent normal features and scores, moved by a shift."""

    def scored(seed: int, *, features: float = 0.0, scores: float = 0.0) -> Scored:
        random = np.random.default_rng(seed)
        x_TSF = random.standard_normal((SESSIONS, STOCKS, len(panel.features))) + features
        scores_TSH = random.standard_normal((SESSIONS, STOCKS, 2)) + scores
        made = replace(
            panel,
            sessions=panel.sessions[:SESSIONS],
            x_TSF=x_TSF.astype(np.float32),
            present_TS=np.ones((SESSIONS, STOCKS), np.bool_),
        )
        return Scored(made, scores_TSH.astype(np.float32), 0)

    return scored


@pytest.mark.parametrize(
    ("moved", "level", "code"),
    [
        ({}, "passed", 0),
        ({"scores": 0.4}, "warning", 0),
        ({"scores": 1.0}, "failed", 1),
        ({"features": 1.0}, "failed", 1),
    ],
)
def test_a_shift_is_found_and_its_absence_is_not(
    moved: dict[str, float], level: str, code: int, draw: Any, panel: Panel
) -> None:
    schema = schema_of(panel)
    trained = drift.reference(draw(1), schema)
    found = drift.finding(drift.shifts(draw(2, **moved), schema, trained), trained)
    assert found.level == level
    assert found.as_json()["exit_code"] == code


def test_the_index_is_that_of_its_formula(draw: Any, panel: Panel) -> None:
    schema, now = schema_of(panel), draw(2, scores=0.5)
    trained = drift.reference(draw(1), schema)
    shift = next(each for each in drift.shifts(now, schema, trained) if each.name == "score_5")
    column = trained["columns"]["score_5"]
    values = now.scores_TSH[-drift.SESSIONS :, :, 1].ravel().astype(np.float64)
    bounds = [-np.inf, *column["edges"], np.inf]
    p = np.array([((values >= low) & (values < high)).mean() for low, high in pairwise(bounds)])
    q = np.array(column["shares"][:-1])
    assert q == pytest.approx(0.1, abs=1e-3)
    assert shift.psi == pytest.approx(((p - q) * np.log(p / q)).sum(), rel=1e-9)
    assert shift.noise == pytest.approx(chi2.ppf(0.999, 10) * 2 / STOCKS, rel=0.01)


def test_missing_values_are_a_bin_of_their_own(draw: Any, panel: Panel) -> None:
    schema, now = schema_of(panel), draw(2)
    trained = drift.reference(draw(1), schema)
    now.panel.x_TSF[:, ::2, 3] = np.nan
    assert drift.shifts(now, schema, trained)[0].name == panel.features[3]


def test_few_stocks_shift_by_chance(draw: Any, panel: Panel) -> None:
    shift = drift.Shift("ret_1", psi=0.3, noise=0.4)
    assert not shift.beyond(drift.LARGE)
    assert replace(shift, noise=0.2).beyond(drift.LARGE)
