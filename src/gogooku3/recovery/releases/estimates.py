"""A metric with its interval, and the metrics of one split that decide on a model."""

from __future__ import annotations

from dataclasses import dataclass

from gogooku3.objective import SHARPE, horizon_of


@dataclass(frozen=True)
class Estimate:
    """A metric and its 95 % confidence interval; None if undefined."""

    value: float | None
    low: float | None
    high: float | None

    def __str__(self) -> str:
        if self.value is None:
            return "undefined"
        if self.low is None or self.high is None:
            return f"{self.value:.3f}"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    @property
    def sign(self) -> int | None:
        """1 or -1 if the interval excludes 0, 0 if it holds 0 (within noise), None if there is no interval."""
        if self.low is None or self.high is None:
            return None
        return (self.low > 0) - (self.high < 0)


UNDEFINED = Estimate(None, None, None)


@dataclass(frozen=True)
class Measured:
    """The metrics of one split that decide on a model."""

    first: str
    last: str
    sharpe: Estimate
    rank_ic: dict[str, Estimate]
    """By horizon in sessions."""

    @property
    def mean_rank_ic(self) -> float | None:
        """Mean RankIC over the horizons, by which two models of a tier are compared; None if one is undefined."""
        values = [estimate.value for estimate in self.rank_ic.values()]
        defined = [value for value in values if value is not None]
        return sum(defined) / len(defined) if values and len(defined) == len(values) else None

    @property
    def basis(self) -> str:
        """Horizons and sessions of the measurement: models with a different basis are compared with care."""
        return f"horizons {', '.join(self.rank_ic)}; {self.first} to {self.last}"

    def estimate(self, metric: str) -> Estimate:
        """The value of a tier's metric (`tier.metric`); the mean RankIC is without an interval."""
        horizon = horizon_of(metric)
        if horizon is not None:
            return self.rank_ic.get(str(horizon), UNDEFINED)
        return self.sharpe if metric == SHARPE else Estimate(self.mean_rank_ic, None, None)

    def has_basis_of(self, other: Measured, metric: str) -> bool:
        """Whether a metric was measured over the same sessions and, if it is a RankIC, the same horizons."""
        return (self.first, self.last) == (other.first, other.last) and (
            metric == SHARPE or [*self.rank_ic] == [*other.rank_ic]
        )
