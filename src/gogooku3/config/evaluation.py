"""Portfolio, quantiles, intervals and folds: section `evaluation` of `params.yaml`."""

from __future__ import annotations

from typing import Literal

from gogooku3.config.section import require, section


@section
class Portfolio:
    """The one portfolio by which a model and its baselines are judged."""

    horizon: int
    """The score that is traded; one of `dataset.horizons`."""
    delay: int
    """Sessions between the close at which a score is known and the close at which the position is taken."""
    cost_bps: float
    """Cost of trading, in basis points of the traded value."""
    borrow_bps: float
    """Fee for borrowed stock, in basis points of the value sold short, a year."""
    max_turnover: float | None
    """Most that is traded at one close, as a multiple of capital; None: no limit."""
    max_weight: float | None
    """Largest position, long or short, as a share of capital; None: no limit."""
    sector_neutral: bool
    """Whether every sector's long positions equal its short ones, beside the portfolio's as a whole."""
    participation: float
    """Share of a stock's traded value that the portfolio's own trades may be: what its capacity is measured by."""

    def __post_init__(self) -> None:
        require(self.delay >= 0, f"`evaluation.portfolio.delay` is {self.delay}", "use 0 or more sessions")
        require(self.cost_bps >= 0, f"`evaluation.portfolio.cost_bps` is {self.cost_bps}", "use 0 or more")
        require(self.borrow_bps >= 0, f"`evaluation.portfolio.borrow_bps` is {self.borrow_bps}", "use 0 or more")
        require(
            self.max_turnover is None or self.max_turnover > 0,
            f"`evaluation.portfolio.max_turnover` is {self.max_turnover}",
            "use more than 0, or null for no limit",
        )
        require(
            self.max_weight is None or 0 < self.max_weight <= 0.5,
            f"`evaluation.portfolio.max_weight` is {self.max_weight}",
            "use more than 0 and at most 0.5, which is one whole side of the portfolio, or null for no limit",
        )
        require(
            0 < self.participation <= 1,
            f"`evaluation.portfolio.participation` is {self.participation}",
            "use more than 0 and at most 1",
        )


@section
class Bootstrap:
    """Stationary bootstrap (Politis and Romano, 1994)."""

    draws: int
    mean_block: int
    """Mean length of a block, in sessions; targets of a longer horizon take blocks of that length."""
    seed: int

    def __post_init__(self) -> None:
        require(self.draws >= 100, f"`evaluation.bootstrap.draws` is {self.draws}", "use 100 or more")
        require(self.mean_block >= 1, f"`evaluation.bootstrap.mean_block` is {self.mean_block}", "use 1 or more")


@section
class Measures:
    """How scores are measured, on whatever sessions."""

    portfolio: Portfolio
    quantiles: int
    """Groups of stocks by score whose mean returns are shown."""
    bootstrap: Bootstrap

    def __post_init__(self) -> None:
        require(self.quantiles >= 2, f"`evaluation.quantiles` is {self.quantiles}", "use 2 or more")


@section
class WalkForward:
    """Folds that walk forward by the length of a test; all lengths in sessions."""

    train: int
    """Of fold 1; of every fold, where they are not `expanding`."""
    validation: int
    test: int
    """Of every fold, but for the last, which the end of the data may cut short."""
    expanding: bool
    """Whether a fold trains on all sessions from the first on."""
    folds: list[int]
    """Numbers of those that are trained, from 1."""

    def __post_init__(self) -> None:
        for name in ("train", "validation", "test"):
            length = getattr(self, name)
            require(length >= 1, f"`evaluation.walk_forward.{name}` is {length}", "use 1 session or more")
        require(
            bool(self.folds) and min(self.folds) >= 1 and sorted(set(self.folds)) == self.folds,
            f"`evaluation.walk_forward.folds` is {self.folds}",
            "list the numbers of folds, from 1, in rising order",
        )


@section
class Stages:
    """What the scheme makes of the pipeline: `dvc.yaml` takes the lists of its stages from here."""

    schemes: list[str]
    """Those beside the usual split."""
    folds: list[int]
    results: str
    """What the package waits for and its card tells, beside the metrics of the split."""


@section
class Evaluation(Measures):
    """Section `evaluation`."""

    scheme: Literal["split", "walk_forward"]
    stages: Stages
    walk_forward: WalkForward

    def __post_init__(self) -> None:
        super().__post_init__()
        folds = [] if self.scheme == "split" else self.walk_forward.folds
        require(
            self.stages.folds == folds,
            f"`evaluation.stages.folds` is {self.stages.folds}, where `evaluation.scheme` {self.scheme} makes {folds}",
            "set the scheme and `evaluation.walk_forward.folds` with `dvc exp run -S`, from which the stages follow",
        )
