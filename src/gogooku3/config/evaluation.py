"""Portfolio, quantiles and intervals: section `evaluation` of `params.yaml`."""

from __future__ import annotations

from gogooku3.config.section import require, section


@section
class Portfolio:
    """The one portfolio by which a model is judged."""

    horizon: int
    """The score that is traded; one of `dataset.horizons`."""
    delay: int
    """Sessions between the close at which a score is known and the close at which the position is taken."""
    cost_bps: float
    """Cost of trading, in basis points of the traded value."""

    def __post_init__(self) -> None:
        require(self.delay >= 0, f"`evaluation.portfolio.delay` is {self.delay}", "use 0 or more sessions")
        require(self.cost_bps >= 0, f"`evaluation.portfolio.cost_bps` is {self.cost_bps}", "use 0 or more")


@section
class Bootstrap:
    """Stationary bootstrap (Politis and Romano, 1994)."""

    draws: int
    mean_block: int
    """Mean length of a block, in sessions."""
    seed: int

    def __post_init__(self) -> None:
        require(self.draws >= 100, f"`evaluation.bootstrap.draws` is {self.draws}", "use 100 or more")
        require(self.mean_block >= 1, f"`evaluation.bootstrap.mean_block` is {self.mean_block}", "use 1 or more")


@section
class Evaluation:
    """Section `evaluation`."""

    portfolio: Portfolio
    quantiles: int
    """Groups of stocks by score whose mean returns are shown."""
    trials: int
    """Experiments tried for the tier, which the deflated Sharpe pays for."""
    bootstrap: Bootstrap

    def __post_init__(self) -> None:
        require(self.quantiles >= 2, f"`evaluation.quantiles` is {self.quantiles}", "use 2 or more")
        require(self.trials >= 1, f"`evaluation.trials` is {self.trials}", "use 1 or more")
