from __future__ import annotations

import numpy as np
import pytest

from gogooku3.dataset import registry
from gogooku3.dataset.feature import Feature
from gogooku3.dataset.market import Market
from gogooku3.dataset.registry import FAMILIES, select
from gogooku3.errors import ConfigError

EVERY = select(list(FAMILIES))


def _feature(name: str, lookback: int = 1) -> Feature:
    return Feature("returns", "stock", name, lookback, "C_t", lambda market: market.close_TS)


def test_the_families_hold_between_160_and_190_features() -> None:
    assert 160 <= len(EVERY) <= 190


def test_every_feature_names_its_family_and_gives_one_line_of_definition() -> None:
    for family, features in FAMILIES.items():
        for feature in features:
            assert feature.family == family
            assert feature.definition.strip()
            assert "\n" not in feature.definition


def test_ranks_and_session_features_stand_in_their_own_families() -> None:
    scopes = {family: {feature.scope for feature in features} for family, features in FAMILIES.items()}
    assert scopes.pop("rank") == {"rank"}
    assert scopes.pop("calendar") == {"session"}
    assert set.union(*scopes.values()) == {"stock"}


def test_families_come_in_the_order_asked_for_and_features_in_the_order_of_their_file() -> None:
    assert select(["calendar", "returns"]) == FAMILIES["calendar"] + FAMILIES["returns"]


@pytest.mark.parametrize("family", ["targets", "Returns", "momentums"])
def test_an_unknown_family_is_refused_with_the_known_ones(family: str) -> None:
    with pytest.raises(ConfigError, match=f"`{family}`, which is no feature family") as refusal:
        select(["returns", family])
    assert all(known in refusal.value.hint for known in FAMILIES)


def test_a_family_named_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="22 feature names stand twice: efficiency_60, high_distance_20"):
        select(["momentum", "momentum"])


def test_two_features_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.FAMILIES, "rank", (_feature("ret_1"),))
    with pytest.raises(ConfigError, match="1 feature names stand twice: ret_1"):
        select(["returns", "rank"])


@pytest.mark.parametrize("name", ["Ret", "1_ret", "ret-1", "", "ret 1", "リターン", "ret\n"])
def test_a_name_outside_the_grammar_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot name a feature"):
        _feature(name)


@pytest.mark.parametrize("name", ["target", "target_1", "targets_mean"])
def test_a_name_that_reads_as_a_forward_return_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="named as a forward return, which is never an input"):
        _feature(name)


def test_a_feature_without_a_session_to_look_at_is_refused() -> None:
    with pytest.raises(ConfigError, match="looks back on 0 sessions"):
        _feature("ret", lookback=0)


def test_a_feature_is_unknown_until_its_lookback_is_full(market: Market) -> None:
    values = _feature("close", lookback=4).values(market)
    assert np.isnan(values[:3]).all()
    assert not np.isnan(values[3:]).any()
