from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata

from gogooku3.dataset.market import Market
from gogooku3.dataset.registry import FAMILIES, select

BY_NAME = {feature.name: feature for feature in select("full395")}


@pytest.mark.parametrize("feature", FAMILIES["rank"], ids=lambda feature: feature.name)
def test_a_rank_is_that_of_the_feature_in_its_name(feature: object, market: Market) -> None:
    name = feature.name  # type: ignore[attr-defined]
    ranked, of = BY_NAME[name], BY_NAME[name.removeprefix("rank_")]
    assert ranked.lookback == of.lookback
    values = of.values(market)
    for t in (260, 300, 329):
        expected = 2 * (rankdata(values[t]) - 1) / (len(market.codes) - 1) - 1
        np.testing.assert_allclose(ranked.values(market)[t], expected, atol=1e-14)
