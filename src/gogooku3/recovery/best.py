"""Compares a model with the best of its tier, on validation: over the same sessions, or those that both have.

RankICs over different sessions say nothing about which model is better: a calm year has another RankIC than a turbulent
one. Two models are compared only if their validation sessions and horizons are the same, or session by session over at
least `MIN_COMMON` sessions that both have.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from gogooku3 import config, paths
from gogooku3.errors import RefusedError
from gogooku3.evaluation.evaluate import MIN_SESSIONS
from gogooku3.recovery.releases import git, headline, metrics, sessions, tags
from gogooku3.recovery.releases.record import Comparison, Estimate, Measured, compared, gain
from gogooku3.recovery.releases.results import rank_ic_gain
from gogooku3.recovery.reproduction import pipeline

MIN_COMMON = MIN_SESSIONS
"""Sessions that two models need in common to be compared, if their validation sessions differ."""


@dataclass(frozen=True)
class Contest:
    """A model and the best of its tier before it."""

    before: Comparison | None
    """None if the tier has no best."""
    better: float | None
    """Mean RankIC by which the model is better, infinite without a best; None if the two cannot be compared."""


def contest(root: Path, registry: tags.Registry, tier: str, commit: str, validation: Measured) -> Contest:
    """Compares a commit's validation with that of the best release, by the files of the two commits.

    Raises:
        RefusedError: the best has no RankIC, or metrics that its sessions do not give.
    """
    best = registry.best(tier)
    if best is None:
        return Contest(None, math.inf)
    before = compared(root, best.commit)
    if before.mean_rank_ic is None:
        raise RefusedError(
            f"the validation RankIC of the best, `{best.tag.name}`, is undefined over {before.basis}",
            hint=_revoke(tier, best),
        )
    contradiction = headline.of_commit(root, best.commit, "validation")
    if contradiction is not None:
        raise RefusedError(
            f"`{paths.metrics_of('validation')}` of the best, `{best.tag.name}`, has {contradiction}",
            hint=f"do not compare with it: {_revoke(tier, best)}",
        )
    common, difference = _paired(root, commit, best.commit)
    same = before.basis == validation.basis and common is None
    measured = Comparison(
        best.tag.name,
        before.mean_rank_ic,
        before.basis,
        difference,
        None if same or difference is None else common,
        _other_differences(root, best.commit, commit),
    )
    if same:
        # The decision is by the value alone: one release must be the best, and the larger estimate is the better
        # choice. The record states whether the gain is more than noise.
        return Contest(
            measured, None if validation.mean_rank_ic is None else validation.mean_rank_ic - before.mean_rank_ic
        )
    return Contest(measured, None if difference is None else difference.value)


def refuse_unless_better(
    found: Contest, validation: Measured, tier: str, consent: str | None, despite_worse: str | None
) -> None:
    """Refuses a model that is worse than the best, or not comparable with it, without a reason.

    Args:
        consent: the reason to release a model that cannot be compared.
        despite_worse: the reason to release a worse one.
    """
    before = found.before
    if validation.mean_rank_ic is None:
        raise RefusedError(
            f"the validation RankIC is undefined over {validation.basis} and cannot be compared",
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
        raise RefusedError(
            f"the mean validation RankIC is {validation.mean_rank_ic:.6f} ({validation.basis}); the best of `{tier}`,"
            f" `{before.tag}`, has {before.rank_ic:.6f} ({before.basis}); {gain(before, validation)}",
            hint=f"`gogooku3 diff {before.tag} HEAD` shows what changed;"
            ' `--despite-worse "REASON"` releases it without making it the best',
        )


def _paired(root: Path, commit: str, best: str) -> tuple[int | None, Estimate | None]:
    """Number of common sessions, None if the two have the same, and the gain over them; no gain without sessions of
    both, with fewer than `MIN_COMMON` in common, or with other horizons."""
    ours, theirs = (sessions.read(root, rev, "validation") for rev in (commit, best))
    if ours is None or theirs is None:
        return None, None
    common = len({*ours["Date"]} & {*theirs["Date"]})
    same = ours["Date"].equals(theirs["Date"])
    if not same and common < MIN_COMMON:
        return common, None
    bootstrap = config.load(root / paths.PARAMS).evaluation.bootstrap
    return None if same else common, rank_ic_gain(ours, theirs, bootstrap)


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
