"""Training recipe (optimizer, batch, loss) and the four phases: section `train` of `params.yaml`."""

from __future__ import annotations

import re
from dataclasses import asdict, fields, replace
from typing import Literal

from gogooku3 import paths
from gogooku3.config.section import require, section

SCRATCH = "scratch"
RELEASE_TAG = re.compile(r"[a-zA-Z0-9/_-]+@v(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){2}")


@section
class Loss:
    """Weight of each loss term; 0 removes the term."""

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
class Schedule:
    """Learning rate over the steps of a phase."""

    warmup: float
    """Share of the steps in which it rises linearly to `learning_rate`."""
    decay: Literal["constant", "cosine"]
    """What follows: the same rate, or a half cosine down to `last`."""
    last: float
    """With `cosine`: the last rate as a share of `learning_rate`."""

    def __post_init__(self) -> None:
        require(
            0 <= self.warmup < 1,
            f"`train.recipe.schedule.warmup` is {self.warmup}",
            "use a share of the steps, from 0 to less than 1",
        )
        require(0 <= self.last <= 1, f"`train.recipe.schedule.last` is {self.last}", "use a share, from 0 to 1")


@section
class Recipe:
    """Hyperparameters that all phases share."""

    seed: int
    batch_size: int
    """Samples (session, stock) per step."""
    batch_stocks: int
    """Stocks sampled per step; the step has `batch_size / batch_stocks` consecutive sessions."""
    weight_decay: float
    """AdamW's decoupled weight decay; biases, normalisations and gates have none."""
    gradient_clip: float
    """Gradient clipping: largest norm of the gradient."""
    schedule: Schedule
    gate_rate: float
    """Learning rate of the gates that start at zero, as a multiple of that of their block."""
    average: float
    """Decay per step of the exponential moving average of the weights; 0: no average."""
    accumulate: int
    """Batches per optimizer step (gradient accumulation)."""
    patience: int
    """Early stopping: epochs without a better `tier.metric` on validation; 0: no early stopping."""
    min_epochs: int
    """Epochs of a phase before early stopping may end it."""
    loss: Loss

    @property
    def batch_sessions(self) -> int:
        """Consecutive sessions per step."""
        return self.batch_size // self.batch_stocks

    def __post_init__(self) -> None:
        require(self.batch_stocks >= 2, f"`train.recipe.batch_stocks` is {self.batch_stocks}", "use 2 or more")
        require(
            self.batch_size >= self.batch_stocks,
            f"`train.recipe.batch_size` of {self.batch_size} is smaller than one session of"
            f" `batch_stocks` {self.batch_stocks} stocks",
            "raise the batch size or draw fewer stocks",
        )
        require(
            self.batch_sessions >= 2 or self.loss.sharpe == 0,
            f"a batch of {self.batch_size} samples over {self.batch_stocks} stocks is one session, which has no"
            " Sharpe ratio",
            "raise the batch size, draw fewer stocks, or set `train.recipe.loss.sharpe` to 0",
        )
        require(self.weight_decay >= 0, f"`train.recipe.weight_decay` is {self.weight_decay}", "use 0 or more")
        require(self.gradient_clip > 0, f"`train.recipe.gradient_clip` is {self.gradient_clip}", "use more than 0")
        require(
            self.patience >= 0,
            f"`train.recipe.patience` is {self.patience}",
            "use 1 or more epochs, or 0 for no early stopping",
        )
        require(self.gate_rate > 0, f"`train.recipe.gate_rate` is {self.gate_rate}", "use more than 0, such as 1.0")
        require(
            0 <= self.average < 1,
            f"`train.recipe.average` is {self.average}",
            "use a decay such as 0.99, or 0 for no average",
        )
        require(self.accumulate >= 1, f"`train.recipe.accumulate` is {self.accumulate}", "use 1 or more batches")
        require(self.min_epochs >= 0, f"`train.recipe.min_epochs` is {self.min_epochs}", "use 0 or more epochs")


@section
class Phase:
    """Epochs and learning rates of one phase."""

    epochs: int
    learning_rate: float
    """Of the blocks that the phase adds, or of all blocks if it adds none."""
    older: float
    """Learning rate of the other blocks, as a multiple; 0 freezes them."""

    def __post_init__(self) -> None:
        require(self.epochs >= 0, f"`epochs` of a phase is {self.epochs}", "use 0 or more")
        require(self.learning_rate > 0, f"`learning_rate` of a phase is {self.learning_rate}", "use more than 0")
        require(self.older >= 0, f"`older` of a phase is {self.older}", "use 0 to freeze older blocks, or more")


@section
class Phases:
    """The four phases, in order."""

    baseline: Phase
    adaptive_norm: Phase
    gat: Phase
    finetune: Phase


LAST_PHASE = fields(Phases)[-1].name
"""The phase whose model is packaged."""


@section
class Stages:
    """Pipeline stages that follow from the scheme: `dvc.yaml` reads its `foreach` lists and paths here."""

    members: list[int]
    """Seeds of the further members."""
    ensembles: list[str]
    """How the members' scores are combined; `[]` for a single model."""
    model: str
    """Folder of the delivered model."""
    members_folder: str
    """Folder of the further members, on which the attribution depends; of a single model, its configuration."""


STAGES = {
    "single": Stages([], [], str(paths.model_of(LAST_PHASE)), str(paths.model_of(LAST_PHASE) / "config.json")),
    "ensemble": Stages([], ["mean"], str(paths.ENSEMBLE), str(paths.MEMBERS)),
}
"""By scheme; `members` are those of `train.further_seeds`."""


@section
class Train:
    """Section `train`."""

    start_from: str
    """`scratch`, or the tag of a released model: `tier1@v1.0.0`."""
    scheme: Literal["single", "ensemble"]
    """`ensemble`: the model is the mean of the scores of members, which differ by their seed."""
    further_seeds: list[int]
    """Seeds of an ensemble's members, in addition to `recipe.seed`."""
    stages: Stages
    recipe: Recipe
    phases: Phases

    @property
    def seeds(self) -> list[int]:
        """Seeds of all trained models, that of `recipe` first."""
        return [self.recipe.seed, *self.stages.members]

    def __post_init__(self) -> None:
        self._check_seeds()
        require(
            self.start_from == SCRATCH or RELEASE_TAG.fullmatch(self.start_from) is not None,
            f"`train.start_from` is {self.start_from!r}",
            f"use `{SCRATCH}`, or the full tag of a release, such as `tier1@v1.0.0` (`gogooku3 tiers` lists them)",
        )
        skipped = [name for name, phase in asdict(self.phases).items() if phase["epochs"] == 0]
        require(
            not skipped or self.start_from != SCRATCH,
            f"`epochs` of {', '.join(f'`train.phases.{name}`' for name in skipped)} is 0, but training from scratch has"
            " no earlier weights to keep",
            "use 1 or more, or start from a release (`train.start_from`)",
        )
        require(
            len(skipped) < len(asdict(self.phases)),
            "`epochs` is 0 in every phase of `train.phases`: nothing would be trained",
            f"train at least one phase; get the model of `{self.start_from}` itself with"
            f" `gogooku3 recover {self.start_from}`",
        )

    def _check_seeds(self) -> None:
        members = [] if self.scheme == "single" else self.further_seeds
        stages = replace(STAGES[self.scheme], members=members)
        require(
            self.stages == stages,
            f"`train.stages` is {asdict(self.stages)}, but `train.scheme` {self.scheme} requires {asdict(stages)}",
            "set the scheme and `train.further_seeds` with `dvc exp run -S`, which also sets the stages",
        )
        require(
            self.scheme == "single" or bool(members),
            "`train.further_seeds` is [], but an ensemble has two members or more",
            "list one seed or more, such as [2, 3], or use `train.scheme=single`",
        )
        require(
            len(self.seeds) == 1 or (min(self.seeds) >= 0 and len({*self.seeds}) == len(self.seeds)),
            f"the seeds of the ensemble are {self.seeds}",
            "list seeds from 0 in `train.further_seeds` that differ from each other and from `train.recipe.seed`",
        )
