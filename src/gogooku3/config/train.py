"""The recipe and the four phases: section `train` of `params.yaml`."""

from __future__ import annotations

from gogooku3.config.section import require, section


@section
class Loss:
    """Weight of each term; 0 removes the term."""

    sharpe: float
    rank_ic: float
    ic: float
    horizons: list[float]
    """Weight of each horizon, in the order of `dataset.horizons`."""

    def __post_init__(self) -> None:
        for name, weights in (("", [self.sharpe, self.rank_ic, self.ic]), (".horizons", self.horizons)):
            require(
                all(w >= 0 for w in weights) and any(w > 0 for w in weights),
                f"the weights of `train.loss{name}` are {weights}",
                "no weight may be negative, and at least one must be above 0",
            )


@section
class Recipe:
    """What all phases share."""

    seed: int
    batch_size: int
    """Samples (session, stock) in one step."""
    batch_stocks: int
    """Stocks drawn for a step; the step takes `batch_size / batch_stocks` consecutive sessions."""
    weight_decay: float
    """AdamW's decoupled weight decay."""
    gradient_clip: float
    """Bound of the gradient's norm."""
    loss: Loss

    def __post_init__(self) -> None:
        require(self.batch_stocks >= 2, f"`train.recipe.batch_stocks` is {self.batch_stocks}", "use 2 or more")
        require(
            self.batch_size >= self.batch_stocks,
            f"`train.recipe.batch_size` of {self.batch_size} is smaller than one session of"
            f" `batch_stocks` {self.batch_stocks} stocks",
            "raise the batch size or draw fewer stocks",
        )
        require(
            self.batch_size // self.batch_stocks >= 2 or self.loss.sharpe == 0,
            f"a batch of {self.batch_size} samples over {self.batch_stocks} stocks is one session, of which no"
            " Sharpe ratio exists",
            "raise the batch size, draw fewer stocks, or set `train.recipe.loss.sharpe` to 0",
        )
        require(self.weight_decay >= 0, f"`train.recipe.weight_decay` is {self.weight_decay}", "use 0 or more")
        require(self.gradient_clip > 0, f"`train.recipe.gradient_clip` is {self.gradient_clip}", "use more than 0")


@section
class Phase:
    """Length and pace of one phase."""

    epochs: int
    learning_rate: float

    def __post_init__(self) -> None:
        require(self.epochs >= 1, f"`epochs` of a phase is {self.epochs}", "use 1 or more")
        require(self.learning_rate > 0, f"`learning_rate` of a phase is {self.learning_rate}", "use more than 0")


@section
class Phases:
    """The four phases, in order."""

    baseline: Phase
    adaptive_norm: Phase
    gat: Phase
    finetune: Phase


@section
class Train:
    """Section `train`."""

    recipe: Recipe
    phases: Phases
