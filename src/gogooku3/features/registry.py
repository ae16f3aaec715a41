"""The feature registry: all features by family, and the named subsets."""

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
    """The features of a subset, by family, in the order of declaration.

    Raises:
        ConfigError: a feature name is duplicate, or the subset has an unknown name.
    """
    every = tuple(feature for features in FAMILIES.values() for feature in features)
    refuse_duplicates([feature.name for feature in every])
    names = SUBSETS[subset]
    if names is None:
        return every
    unknown = sorted(names - {feature.name for feature in every})
    if unknown:
        raise ConfigError(
            f"`{subset}` lists {', '.join(unknown)}, which no family declares",
            hint="correct `gogooku3.features.subsets`",
        )
    return tuple(feature for feature in every if feature.name in names)


def chosen(params: Dataset) -> tuple[Feature, ...]:
    """The features of a dataset: its subset, then the features of its joined tables.

    Raises:
        ConfigError: a feature name is duplicate or invalid.
    """
    features = (*select(params.features), *joined.features(params.joined))
    refuse_duplicates([feature.name for feature in features])
    return features


def refuse_duplicates(names: list[str]) -> None:
    """Raises `ConfigError` if a name is duplicate."""
    duplicates = sorted({name for name in names if names.count(name) > 1})
    if duplicates:
        raise ConfigError(
            f"{len(duplicates)} feature names are duplicate: {', '.join(duplicates[:5])}",
            hint="name each feature once in `gogooku3.features.families`, and in `dataset.joined.tables`",
        )
