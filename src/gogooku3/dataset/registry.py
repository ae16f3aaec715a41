"""The families of features, and which features an experiment uses."""

from __future__ import annotations

from gogooku3.dataset.feature import Feature
from gogooku3.dataset.features import (
    calendar,
    distribution,
    liquidity,
    momentum,
    rank,
    relative,
    returns,
    technical,
    volatility,
)
from gogooku3.errors import ConfigError

FAMILIES: dict[str, tuple[Feature, ...]] = {
    "returns": returns.FEATURES,
    "volatility": volatility.FEATURES,
    "momentum": momentum.FEATURES,
    "technical": technical.FEATURES,
    "liquidity": liquidity.FEATURES,
    "distribution": distribution.FEATURES,
    "relative": relative.FEATURES,
    "rank": rank.FEATURES,
    "calendar": calendar.FEATURES,
}


def select(families: list[str]) -> tuple[Feature, ...]:
    """Every feature of the families named, in the order given, each family in the order of its file.

    Raises:
        ConfigError: a family is unknown or named twice, or two features share a name.
    """
    unknown = [family for family in families if family not in FAMILIES]
    if unknown:
        raise ConfigError(
            f"`dataset.families` names {', '.join(f'`{family}`' for family in unknown)}, which is no feature family",
            hint=f"the families are {', '.join(FAMILIES)}",
        )
    features = tuple(feature for family in families for feature in FAMILIES[family])
    refuse_duplicates([feature.name for feature in features])
    return features


def refuse_duplicates(names: list[str]) -> None:
    """Raises `ConfigError` when a name stands twice."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(
            f"{len(twice)} feature names stand twice: {', '.join(twice[:5])}",
            hint="name each family once in `dataset.families`, and each feature once in `gogooku3.dataset.features`",
        )
