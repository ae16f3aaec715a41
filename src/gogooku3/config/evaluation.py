"""Portfolio backtest, quantiles, bootstrap intervals and walk-forward folds: section `evaluation` of `params.yaml`."""

from __future__ import annotations

from typing import Literal

from gogooku3.config.section import require, section


@section
class Portfolio:
    """The long-short portfolio that evaluates a model and its baselines."""

    horizon: int
    """Horizon of the score that is traded; one of `dataset.horizons`."""
    delay: int
    """Execution delay: sessions between the close at which a score is known and the close of the trade."""
    cost_bps: float
    """Transaction cost, in basis points of the traded value."""
    borrow_bps: float
    """Borrow fee, in basis points of the value sold short, per year."""
    max_turnover: float | None
    """Turnover limit of one rebalance (close), as a multiple of capital; None: no limit."""
    max_weight: float | None
    """Position limit, long or short, as a share of capital; None: no limit."""
    sector_neutral: bool
    """Whether long and short positions are equal within every sector, not only in the whole portfolio."""
    participation: float
    """Participation rate: share of a stock's traded value that the portfolio may trade; determines the capacity."""
    impact: float
    """Market impact: coefficient of volatility · √(trade / traded value), the square-root law; 0: none."""
    capital: float | None
    """Capital in the currency of the quotes, which determines the market impact; None: without impact."""
    delisting_return: float
    """Return of a position on top of its last price when its stock is delisted; 0: it is paid out at the last price."""
    short: Literal["all", "lendable"]
    """Stocks that can be sold short: all, or those that can be borrowed by the quotes' restrictions."""
    top_k: int
    """Number of stocks in the long-only portfolio, and on each side of the spread of best and worst stocks."""
    holding: int
    """Mean holding period of the long-only portfolio, in sessions: each session replaces top_k / holding stocks."""

    def __post_init__(self) -> None:
        require(self.delay >= 0, f"`evaluation.portfolio.delay` is {self.delay}", "use 0 or more sessions")
        # A rebalance that reverses all positions trades twice the capital: such costs would take all of it.
        require(
            0 <= self.cost_bps < 5_000,
            f"`evaluation.portfolio.cost_bps` is {self.cost_bps}",
            "use 0 to less than 5000, half of the traded value",
        )
        require(
            0 <= self.borrow_bps < 1_000_000,
            f"`evaluation.portfolio.borrow_bps` is {self.borrow_bps}",
            "use 0 to less than 1000000, a hundred times the borrowed value per year",
        )
        require(
            self.max_turnover is None or self.max_turnover > 0,
            f"`evaluation.portfolio.max_turnover` is {self.max_turnover}",
            "use more than 0, or null for no limit",
        )
        require(
            self.max_weight is None or 0 < self.max_weight <= 0.5,
            f"`evaluation.portfolio.max_weight` is {self.max_weight}",
            "use more than 0 and at most 0.5 (one whole side of the portfolio), or null for no limit",
        )
        require(
            0 < self.participation <= 1,
            f"`evaluation.portfolio.participation` is {self.participation}",
            "use more than 0 and at most 1",
        )
        require(self.impact >= 0, f"`evaluation.portfolio.impact` is {self.impact}", "use 0 or more; 1 is usual")
        require(
            self.capital is None or self.capital > 0,
            f"`evaluation.portfolio.capital` is {self.capital}",
            "use more than 0, in the currency of the quotes, or null",
        )
        require(
            self.impact == 0 or self.capital is not None,
            f"`evaluation.portfolio.impact` is {self.impact}, but `evaluation.portfolio.capital` is null",
            "name the capital, on which the impact of a trade depends",
        )
        require(
            -1 <= self.delisting_return <= 1,
            f"`evaluation.portfolio.delisting_return` is {self.delisting_return}",
            "use -1 (worthless) to 1 (twice the last price)",
        )
        for name in ("top_k", "holding"):
            count = getattr(self, name)
            require(count >= 1, f"`evaluation.portfolio.{name}` is {count}", "use 1 or more")


@section
class Bootstrap:
    """Stationary bootstrap (Politis and Romano, 1994)."""

    draws: int
    mean_block: int
    """Mean block length, in sessions; targets with a longer horizon use the horizon as block length."""
    seed: int

    def __post_init__(self) -> None:
        require(self.draws >= 100, f"`evaluation.bootstrap.draws` is {self.draws}", "use 100 or more")
        require(self.mean_block >= 1, f"`evaluation.bootstrap.mean_block` is {self.mean_block}", "use 1 or more")


@section
class Measures:
    """Settings that measure scores, for any set of sessions."""

    portfolio: Portfolio
    quantiles: int
    """Number of score quantiles whose mean returns are reported."""
    bootstrap: Bootstrap

    def __post_init__(self) -> None:
        require(self.quantiles >= 2, f"`evaluation.quantiles` is {self.quantiles}", "use 2 or more")


@section
class WalkForward:
    """Walk-forward folds, each shifted by the length of a test; all lengths in sessions."""

    train: int
    """Length of training in fold 1; in every fold if the window is not `expanding`."""
    validation: int
    test: int
    """Length of each test; the end of the data may cut the last one short."""
    expanding: bool
    """Expanding window: a fold trains on all sessions from the first on."""
    folds: list[int]
    """Numbers of the folds to train, from 1."""

    def __post_init__(self) -> None:
        for name in ("train", "validation", "test"):
            length = getattr(self, name)
            require(length >= 1, f"`evaluation.walk_forward.{name}` is {length}", "use 1 session or more")
        require(
            bool(self.folds) and min(self.folds) >= 1 and sorted(set(self.folds)) == self.folds,
            f"`evaluation.walk_forward.folds` is {self.folds}",
            "list the numbers of folds, from 1, in ascending order",
        )


@section
class Stages:
    """Pipeline stages that follow from the scheme: `dvc.yaml` reads the lists for its `foreach` stages here."""

    schemes: list[str]
    """Schemes in addition to the single split."""
    folds: list[int]
    results: str
    """Metrics file that the package depends on and its model card reports, in addition to the split's metrics."""
    curves: str
    """Series of the scheme's chart on the tier's page, which depends on it."""


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
            f"`evaluation.stages.folds` is {self.stages.folds}, but `evaluation.scheme` {self.scheme} requires {folds}",
            "set the scheme and `evaluation.walk_forward.folds` with `dvc exp run -S`, which also sets the stages",
        )
