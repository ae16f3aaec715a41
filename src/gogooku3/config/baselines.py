"""Baselines that the model must beat: section `baselines` of `params.yaml`."""

from __future__ import annotations

from collections.abc import Collection

from gogooku3.config.section import require, section


@section
class Ridge:
    """Ridge regression (Hoerl and Kennard, 1970)."""

    penalty: float
    """L2 penalty, added to the variance of each feature, which is about 1."""

    def __post_init__(self) -> None:
        require(self.penalty > 0, f"`baselines.ridge.penalty` is {self.penalty}", "use more than 0")


@section
class LightGBM:
    """Gradient-boosted trees (Ke et al., 2017)."""

    rounds: int
    """Largest number of trees."""
    patience: int
    """Early stopping: rounds without a better validation error."""
    learning_rate: float
    leaves: int
    """Largest number of leaves per tree."""
    leaf_rows: int
    """Smallest number of rows per leaf."""
    feature_share: float
    """Share of the features that a tree may use, drawn for each tree."""
    tries: int
    """Configurations that are fitted for each horizon, of which validation chooses: the one above, then others with
    half and twice the leaves, four times and a quarter of the rows per leaf, and half the features."""
    seed: int

    def __post_init__(self) -> None:
        for name, least in (("rounds", 1), ("patience", 1), ("leaves", 2), ("leaf_rows", 1)):
            value = getattr(self, name)
            require(value >= least, f"`baselines.lightgbm.{name}` is {value}", f"use {least} or more")
        require(1 <= self.tries <= 18, f"`baselines.lightgbm.tries` is {self.tries}", "use 1 to 18")
        for name, value in (("learning_rate", self.learning_rate), ("feature_share", self.feature_share)):
            require(0 < value <= 1, f"`baselines.lightgbm.{name}` is {value}", "use more than 0 and at most 1")
        require(0 <= self.seed < 2**31, f"`baselines.lightgbm.seed` is {self.seed}", "use 0 to 2147483647")


@section
class Perceptron:
    """Multilayer perceptron of a stock's features in its session, all horizons at once."""

    hidden: list[int]
    """Width of each hidden layer."""
    epochs: int
    """Largest number of epochs."""
    patience: int
    """Early stopping: epochs without a better mean RankIC on validation."""
    learning_rate: float
    weight_decay: float
    batch_rows: int
    """Rows (session, stock) per step."""
    seed: int

    def __post_init__(self) -> None:
        require(
            bool(self.hidden) and min(self.hidden) >= 1,
            f"`baselines.mlp.hidden` is {self.hidden}",
            "list one width or more, each 1 or more",
        )
        for name in ("epochs", "patience", "batch_rows"):
            value = getattr(self, name)
            require(value >= 1, f"`baselines.mlp.{name}` is {value}", "use 1 or more")
        require(0 < self.learning_rate <= 1, f"`baselines.mlp.learning_rate` is {self.learning_rate}", "use 0 to 1")
        require(0 <= self.weight_decay < 1, f"`baselines.mlp.weight_decay` is {self.weight_decay}", "use 0 to 1")
        require(0 <= self.seed < 2**31, f"`baselines.mlp.seed` is {self.seed}", "use 0 to 2147483647")


@section
class Baselines:
    """Section `baselines`."""

    rows: int
    """Largest number of training rows (session, stock); if there are more, every k-th session is used, from the last
    backwards."""
    ridge: Ridge
    lightgbm: LightGBM
    mlp: Perceptron
    decays: list[float]
    """Decays of the exponential moving average of ridge regression's scores (`ridge_ema`), of which validation chooses
    one for each horizon."""
    reversal: str
    """The feature whose negative is the reversal's score."""
    momentum: str
    """The feature that is the momentum's score."""

    def __post_init__(self) -> None:
        require(self.rows >= 1, f"`baselines.rows` is {self.rows}", "use 1 or more")
        require(
            bool(self.decays) and all(0 <= decay < 1 for decay in self.decays),
            f"`baselines.decays` is {self.decays}",
            "list one decay or more, each from 0 to less than 1",
        )

    def require_features(self, features: Collection[str]) -> None:
        """Raises `ConfigError` if the feature of a factor is not among those of the dataset."""
        for name in ("reversal", "momentum"):
            feature = getattr(self, name)
            require(
                feature in features,
                f"`baselines.{name}` is `{feature}`, which is not among the {len(features)} features of the dataset",
                "`gogooku3 features --set SET` lists them; choose one of `dataset.features`",
            )
