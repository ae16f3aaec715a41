"""Comparison of a model with another release on validation, by the metric that the model's tier declares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from gogooku3.objective import MEAN_RANK_IC, SHARPE, metric_title
from gogooku3.recovery.releases.estimates import Estimate, Measured

HEADLINE = (MEAN_RANK_IC, SHARPE)
"""Metrics that are compared in every tier."""


@dataclass(frozen=True)
class Comparison:
    """Another release: the best of the tier before the model, or the release that the tier is compared with."""

    tag: str
    rank_ic: float
    """Its mean RankIC."""
    basis: str
    gain: Estimate | None = None
    """Mean RankIC of the new model minus that of this one, over the sessions that both have; None if these are not
    recorded for both or too few, or the horizons differ."""
    common: int | None = None
    """Number of sessions behind the gains, if the two have different sessions; None if they have the same."""
    other: list[str] = field(default_factory=list)
    """Other differences of the two validations: universe, quotes."""
    metric: str = MEAN_RANK_IC
    """The metric that decides, `tier.metric` of the new model; older records know the mean RankIC alone."""
    value: float | None = None
    """Its value of that metric; None in older records."""
    gains: dict[str, Estimate] = field(default_factory=dict)
    """The same as `gain`, by metric; empty in older records."""

    @property
    def decisive_value(self) -> float | None:
        """Its value of the metric that decides."""
        return self.rank_ic if self.metric == MEAN_RANK_IC else self.value

    @property
    def decisive_gain(self) -> Estimate | None:
        """The gain in the metric that decides."""
        return self.gain if self.metric == MEAN_RANK_IC else self.gains.get(self.metric)

    def disagreements(self) -> Iterator[str]:
        """A sentence for each metric that changed, beyond noise, in the opposite direction of the one that decides."""
        decisive = self.decisive_gain
        if decisive is None or not decisive.value:
            return
        for metric in HEADLINE:
            gain = self.gains.get(metric)
            if gain is not None and gain.sign is not None and gain.sign * decisive.value < 0:
                verb = "worse" if gain.sign < 0 else "better"
                yield (
                    f"{metric_title(metric)} disagrees with the objective, {metric_title(self.metric)}:"
                    f" the model is {verb} by {gain}, beyond noise"
                )

    def text(self, validation: Measured) -> str:
        """The other release, the gain over it, and whether that is more than noise.

        Args:
            validation: the metrics of the new model.
        """
        same = self.basis == validation.basis and self.common is None
        basis = "same horizons and sessions" if same else self.basis
        other = f"; {'; '.join(self.other)}" if self.other else ""
        value = "undefined" if self.decisive_value is None else f"{self.decisive_value:.4f}"
        metric = "" if self.metric == MEAN_RANK_IC else f"{metric_title(self.metric)} "
        parts = [f"{self.tag}, {metric}{value} ({basis}{other})", self.gain_text(validation), *self.disagreements()]
        return "; ".join(parts)

    def gain_text(self, validation: Measured) -> str:
        """The gain of a model over this release, and whether its confidence interval excludes zero."""
        difference, before = self.decisive_gain, self.decisive_value
        if difference is None and self.basis != validation.basis:
            return "NOT comparable: other sessions or horizons, and too few sessions are recorded for both"
        if difference is None or difference.sign is None:
            after = validation.estimate(self.metric).value
            value = "undefined" if after is None or before is None else f"{after - before:.3f}"
            return f"gain {value}, of which there is no interval: the sessions are not recorded for both, or too few"
        over = "" if self.common is None else f" over the {self.common} sessions of both"
        if difference.sign == 0:
            return f"gain {difference}{over}, within noise: the interval holds 0, and chance alone could give it"
        return f"gain {difference}{over}, beyond noise: the interval leaves out 0"
