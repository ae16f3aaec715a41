"""What a model must beat: section `baselines` of `params.yaml`."""

from __future__ import annotations

from gogooku3.config.section import require, section


@section
class Ridge:
    """Ridge regression (Hoerl and Kennard, 1970)."""

    penalty: float
    """What is added to the variance of each feature, which is about 1."""

    def __post_init__(self) -> None:
        require(self.penalty > 0, f"`baselines.ridge.penalty` is {self.penalty}", "use more than 0")


@section
class LightGBM:
    """Gradient-boosted trees (Ke et al., 2017)."""

    rounds: int
    """Trees at most."""
    patience: int
    """Rounds without a better validation error after which no tree is added."""
    learning_rate: float
    leaves: int
    """Leaves of a tree at most."""
    leaf_rows: int
    """Rows in a leaf at least."""
    feature_share: float
    """Share of the features that a tree may use, drawn anew for each."""
    seed: int

    def __post_init__(self) -> None:
        for name, least in (("rounds", 1), ("patience", 1), ("leaves", 2), ("leaf_rows", 1)):
            value = getattr(self, name)
            require(value >= least, f"`baselines.lightgbm.{name}` is {value}", f"use {least} or more")
        for name, value in (("learning_rate", self.learning_rate), ("feature_share", self.feature_share)):
            require(0 < value <= 1, f"`baselines.lightgbm.{name}` is {value}", "use more than 0 and at most 1")
        require(0 <= self.seed < 2**31, f"`baselines.lightgbm.seed` is {self.seed}", "use 0 to 2147483647")


@section
class Baselines:
    """Section `baselines`."""

    rows: int
    """Rows (session, stock) that are fitted on at most: of more, every k-th session is taken, from the last back."""
    ridge: Ridge
    lightgbm: LightGBM
    reversal: str
    """The feature whose negative is the reversal's score."""
    momentum: str
    """The feature that is the momentum's score."""

    def __post_init__(self) -> None:
        require(self.rows >= 1, f"`baselines.rows` is {self.rows}", "use 1 or more")
