"""All features by family, and those of a named subset."""

from __future__ import annotations

from gogooku3.config.dataset import Dataset
from gogooku3.errors import ConfigError
from gogooku3.features import joined
from gogooku3.features.families import (
    calendar,
    candles,
    distribution,
    liquidity,
    market_wide,
    momentum,
    rank,
    relative,
    returns,
    sector,
    technical,
    volatility,
    volume,
)
from gogooku3.features.feature import Feature
from gogooku3.features.subsets import SUBSETS

FAMILIES: dict[str, tuple[Feature, ...]] = {
    "returns": returns.FEATURES,
    "volatility": volatility.FEATURES,
    "momentum": momentum.FEATURES,
    "technical": technical.FEATURES,
    "candles": candles.FEATURES,
    "liquidity": liquidity.FEATURES,
    "volume": volume.FEATURES,
    "distribution": distribution.FEATURES,
    "relative": relative.FEATURES,
    "sector": sector.FEATURES,
    "rank": rank.FEATURES,
    "calendar": calendar.FEATURES,
    "climate": market_wide.FEATURES,
}


def select(subset: str) -> tuple[Feature, ...]:
    """The features of a subset, family by family, each in the order of its file.

    Raises:
        ConfigError: two features share a name, or a name of the subset is no feature's.
    """
    every = tuple(feature for features in FAMILIES.values() for feature in features)
    refuse_duplicates([feature.name for feature in every])
    names = SUBSETS[subset]
    if names is None:
        return every
    strangers = sorted(names - {feature.name for feature in every})
    if strangers:
        raise ConfigError(
            f"`{subset}` names {', '.join(strangers)}, which no family declares",
            hint="correct `gogooku3.features.subsets`",
        )
    return tuple(feature for feature in every if feature.name in names)


def chosen(params: Dataset) -> tuple[Feature, ...]:
    """The features of a dataset: those of its subset, then those of the tables that are joined.

    Raises:
        ConfigError: two features share a name, or one cannot be named as the parameters say.
    """
    features = (*select(params.features), *joined.features(params.joined))
    refuse_duplicates([feature.name for feature in features])
    return features


def refuse_duplicates(names: list[str]) -> None:
    """Raises `ConfigError` when a name stands twice."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(
            f"{len(twice)} feature names stand twice: {', '.join(twice[:5])}",
            hint="name each feature once in `gogooku3.features.families`, and in `dataset.joined.tables`",
        )
