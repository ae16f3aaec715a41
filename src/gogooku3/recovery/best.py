"""Compares a model with other releases on validation, by its tier's metric: over the same sessions, or common ones.

Metrics over different sessions say nothing about which model is better: a calm year has another RankIC than a turbulent
one. Two models are compared only if their validation sessions are the same (for RankICs the horizons too), or session
by session over at least `MIN_COMMON` sessions that both have.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from gogooku3 import config, paths
from gogooku3.errors import RefusedError
from gogooku3.evaluation.evaluate import MIN_SESSIONS
from gogooku3.objective import MEAN_RANK_IC, metric_title
from gogooku3.recovery.releases import git, headline, metrics, sessions, tags
from gogooku3.recovery.releases.comparison import HEADLINE, Comparison
from gogooku3.recovery.releases.estimates import Estimate, Measured
from gogooku3.recovery.releases.record import compared
from gogooku3.recovery.releases.results import gains
from gogooku3.recovery.reproduction import pipeline

MIN_COMMON = MIN_SESSIONS
"""Sessions that two models need in common to be compared, if their validation sessions differ."""


@dataclass(frozen=True)
class Contest:
    """A model and the best of its tier before it."""

    before: Comparison | None
    """None if the tier has no best."""
    better: float | None
    """By how much the model is better in the metric, infinite without a best; None if the two cannot be compared."""


def contest(root: Path, registry: tags.Registry, tier: str, commit: str, validation: Measured, metric: str) -> Contest:
    """Compares a commit's validation with that of the best release, by the files of the two commits.

    Args:
        metric: the metric that decides, `tier.metric`.

    Raises:
        RefusedError: the best lacks the metric, or has metrics that its sessions do not give.
    """
    best = registry.best(tier)
    if best is None:
        return Contest(None, math.inf)
    before = compared(root, best.commit)
    for name in dict.fromkeys((metric, MEAN_RANK_IC)):
        if before.estimate(name).value is None:
            raise RefusedError(
                f"the {_on_validation(name)} of the best, `{best.tag.name}`, is undefined over {before.basis}",
                hint=_revoke(tier, best),
            )
    contradiction = headline.of_commit(root, best.commit, "validation")
    if contradiction is not None:
        raise RefusedError(
            f"`{paths.metrics_of('validation')}` of the best, `{best.tag.name}`, has {contradiction}",
            hint=f"do not compare with it: {_revoke(tier, best)}",
        )
    common, gained = _paired(root, commit, best.commit)
    measured = _comparison(root, best, before, commit, metric, common, gained)
    if common is None and before.has_basis_of(validation, metric):
        # The decision is by the value alone: one release must be the best, and the larger estimate is the better
        # choice. The record states whether the gain is more than noise.
        return Contest(measured, _difference(validation, before, metric))
    gain = measured.decisive_gain
    return Contest(measured, None if gain is None else gain.value)


def compare(root: Path, release: tags.Release, commit: str, metric: str) -> Comparison:
    """Compares a commit's validation with that of a release of any tier; nothing is decided by it.

    Raises:
        RefusedError: the release has no mean RankIC.
        DataError: its metrics or sessions are missing or damaged.
    """
    before = compared(root, release.commit)
    if before.mean_rank_ic is None:
        raise RefusedError(
            f"the {_on_validation(MEAN_RANK_IC)} of `{release.tag.name}` is undefined over {before.basis}",
            hint="compare with another release (`tier.compared_with`)",
        )
    return _comparison(root, release, before, commit, metric, *_paired(root, commit, release.commit))


def refuse_unless_better(
    found: Contest, validation: Measured, tier: str, metric: str, consent: str | None, despite_worse: str | None
) -> None:
    """Refuses a model that is worse than the best, or not comparable with it, without a reason.

    Args:
        metric: the metric that decides, `tier.metric`.
        consent: the reason to release a model that cannot be compared.
        despite_worse: the reason to release a worse one.
    """
    before, value = found.before, validation.estimate(metric).value
    if value is None:
        raise RefusedError(
            f"the {_on_validation(metric)} is undefined over {validation.basis} and cannot be compared",
            hint="evaluate over more sessions and stocks (`dataset.split`, `quotes.stocks`)",
        )
    if before is None:
        return
    if found.better is None and consent is None:
        raise RefusedError(
            f"the model was validated over {validation.basis}, the best of `{tier}`, `{before.tag}`, over"
            f" {before.basis}: fewer than {MIN_COMMON} sessions are recorded for both, or the horizons differ",
            hint='train and evaluate both on the same split to compare them; `--replace-best "REASON"` makes this'
            ' model the best, `--despite-worse "REASON"` releases it without making it the best',
        )
    if found.better is not None and found.better < 0 and despite_worse is None:
        disagreements = "".join(f"; {each}" for each in before.disagreements())
        raise RefusedError(
            f"the {_on_validation(metric)} is {value:.6f} ({validation.basis}); the best of `{tier}`,"
            f" `{before.tag}`, has {before.decisive_value:.6f} ({before.basis}); {before.gain_text(validation)}"
            f"{disagreements}",
            hint=f"`gogooku3 diff {before.tag} HEAD` shows what changed;"
            ' `--despite-worse "REASON"` releases it without making it the best',
        )


def _comparison(
    root: Path,
    release: tags.Release,
    before: Measured,
    commit: str,
    metric: str,
    common: int | None,
    gained: dict[str, Estimate],
) -> Comparison:
    """
    Args:
        before: the metrics of the release.
        common, gained: the results of `_paired`.
    """
    assert before.mean_rank_ic is not None
    return Comparison(
        release.tag.name,
        before.mean_rank_ic,
        before.basis,
        gained.get(MEAN_RANK_IC),
        common if metric in gained else None,
        _other_differences(root, release.commit, commit),
        metric,
        before.estimate(metric).value,
        {name: gain for name, gain in gained.items() if name in (metric, *HEADLINE)},
    )


def _difference(validation: Measured, before: Measured, metric: str) -> float | None:
    """Difference of a metric over the same sessions; None if one is undefined."""
    ours, theirs = validation.estimate(metric).value, before.estimate(metric).value
    return None if ours is None or theirs is None else ours - theirs


def _on_validation(metric: str) -> str:
    return "mean validation RankIC" if metric == MEAN_RANK_IC else f"{metric_title(metric)} on validation"


def _paired(root: Path, commit: str, other: str) -> tuple[int | None, dict[str, Estimate]]:
    """Number of common sessions, None if the two have the same, and the gains over them; no gains without sessions of
    both, or with fewer than `MIN_COMMON` in common."""
    ours, theirs = (sessions.read(root, rev, "validation") for rev in (commit, other))
    if ours is None or theirs is None:
        return None, {}
    common = len({*ours["Date"]} & {*theirs["Date"]})
    same = ours["Date"].equals(theirs["Date"])
    if not same and common < MIN_COMMON:
        return common, {}
    bootstrap = config.load(root / paths.PARAMS).evaluation.bootstrap
    return None if same else common, gains(ours, theirs, bootstrap)


def _other_differences(root: Path, old: str, new: str) -> list[str]:
    """Differences of two validations that their dates do not show."""
    before, now = (metrics.read(root, rev, "validation") for rev in (old, new))
    stocks = [None if table is None else table.universe.stocks for table in (before, now)]
    found = [f"{stocks[0]} stocks, here {stocks[1]}"] if None not in stocks and stocks[0] != stocks[1] else []
    quotes = [_quotes(root, rev) for rev in (old, new)]
    return [*found, *(["other quotes"] if None not in quotes and quotes[0] != quotes[1] else [])]


def _quotes(root: Path, rev: str) -> str | None:
    """Hash of a revision's quotes; None if its lock file does not record one."""
    stages = pipeline.stages(git.show(root, rev, paths.LOCK) or "stages: {}")
    return next((stage.outs[str(paths.QUOTES)] for stage in stages if str(paths.QUOTES) in stage.outs), None)


def _revoke(tier: str, best: tags.Release) -> str:
    return f"remove its stage `{tags.BEST}` (`gto deprecate {tier} {best.version} {tags.BEST}`)"
