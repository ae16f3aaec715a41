from __future__ import annotations

from typing import get_args, get_type_hints

import numpy as np
import pytest

from gogooku3.config.dataset import Dataset
from gogooku3.errors import ConfigError
from gogooku3.features import registry
from gogooku3.features.feature import Feature
from gogooku3.features.market import Market
from gogooku3.features.registry import FAMILIES, select
from gogooku3.features.subsets import SUBSETS


def _feature(name: str, lookback: int = 1) -> Feature:
    return Feature("returns", "stock", name, lookback, "C_t", lambda market: market.close_TS)


def test_each_set_includes_the_previous_one_and_the_last_has_all_features() -> None:
    core, extended, full = (select(subset) for subset in ("core", "extended", "full"))
    assert set(core) < set(extended) < set(full)
    assert full == tuple(feature for features in FAMILIES.values() for feature in features)


def test_a_set_has_every_feature_that_it_lists() -> None:
    for subset, names in SUBSETS.items():
        assert names is None or {feature.name for feature in select(subset)} == names


def test_the_sets_are_those_that_the_config_allows() -> None:
    assert tuple(SUBSETS) == get_args(get_type_hints(Dataset)["features"])


@pytest.mark.parametrize("subset", SUBSETS)
def test_a_set_is_sorted_by_family_and_by_declaration(subset: str) -> None:
    features = select(subset)
    assert list(dict.fromkeys(feature.family for feature in features)) == list(FAMILIES)
    every = [feature for family in FAMILIES.values() for feature in family]
    assert list(features) == sorted(features, key=every.index)


def test_a_set_with_an_unknown_feature_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SUBSETS, "core", frozenset({"ret_1", "zeta_5", "alpha_1"}))
    with pytest.raises(ConfigError, match="`core` lists alpha_1, zeta_5, which no family declares"):
        select("core")


def test_every_feature_has_its_family_and_a_definition_of_one_line() -> None:
    for family, features in FAMILIES.items():
        for feature in features:
            assert feature.family == family
            assert feature.definition.strip()
            assert "\n" not in feature.definition


def test_ranks_and_session_features_have_their_own_families() -> None:
    scopes = {family: {feature.scope for feature in features} for family, features in FAMILIES.items()}
    assert scopes.pop("rank") == {"rank"}
    assert scopes.pop("calendar") == scopes.pop("climate") == {"session"}
    assert set.union(*scopes.values()) == {"stock"}


def test_duplicate_feature_names_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.FAMILIES, "rank", (_feature("ret_1"),))
    with pytest.raises(ConfigError, match="1 feature names are duplicate: ret_1"):
        select("full")


@pytest.mark.parametrize("name", ["Ret", "1_ret", "ret-1", "", "ret 1", "リターン", "ret\n"])
def test_an_invalid_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="is not a valid feature name"):
        _feature(name)


@pytest.mark.parametrize("name", ["target", "target_1", "targets_mean"])
def test_a_name_like_a_forward_return_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="named like a forward return, which must never be an input"):
        _feature(name)


def test_a_lookback_of_zero_is_refused() -> None:
    with pytest.raises(ConfigError, match="has a lookback of 0 sessions"):
        _feature("ret", lookback=0)


def test_a_feature_is_nan_during_its_warm_up(market: Market) -> None:
    values = _feature("close", lookback=4).values(market)
    assert np.isnan(values[:3]).all()
    assert not np.isnan(values[3:]).any()
