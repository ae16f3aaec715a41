"""`leaderboard`: a Markdown page with every released version, from the records in the tags."""

from __future__ import annotations

from pathlib import Path

from gogooku3 import paths
from gogooku3.errors import DataError, MismatchError
from gogooku3.escaping import markdown
from gogooku3.objective import MEAN_RANK_IC, metric_title
from gogooku3.package.results import ABSENT
from gogooku3.recovery.releases import headline
from gogooku3.recovery.releases.parameters import parameters
from gogooku3.recovery.releases.record import Record, training
from gogooku3.recovery.releases.results import mean_rank_ic
from gogooku3.recovery.tiers import Tier, tiers

_HASH = 12
_TEMPLATE = """\
# Leaderboard

Every released version, written by `gogooku3 leaderboard` from the tags. Within a tier, versions are sorted by the
objective of its newest version on validation (`tier.metric`), by which `promote` marks the *best* one: the mean RankIC,
if the version does not name another. Brackets are 95 % confidence intervals.
The deflated Sharpe ratio is the probability that the Sharpe ratio on validation is not just the luck of the best of
so many trials. No decision depends on the test split. Only RankICs over the same validation sessions and horizons can
be compared; if the sessions differ, `promote` compares over those that both versions have.
[How the metrics are computed](evaluation.md).

{rows}
"""
_NONE = "No tier was released yet: `gogooku3 promote TIER` makes the first version."
_COLUMNS = (
    *("version", "best", "objective", "RankIC, validation", "Sharpe, validation", "deflated Sharpe"),
    *("RankIC, test", "Sharpe, test", "validated over", "commit", "model", "trained", "quotes"),
)


def leaderboard(root: Path) -> str:
    """The page in Markdown; deterministic for the same tags."""
    released = [row for row in tiers(root) if row.object_of is None]
    newest = {row.tier: row for row in sorted(released, key=lambda row: row.version)}
    rows = sorted(released, key=lambda row: _rank(row, _metric(newest[row.tier])))
    head = [f"| {' | '.join(_COLUMNS)} |", "|---" * len(_COLUMNS) + "|"]
    table = "\n".join([*head, *(_row(root, row) for row in rows)])
    return _TEMPLATE.format(rows=table if rows else _NONE)


def _rank(row: Tier, metric: str) -> tuple[str, float]:
    """By tier, then by a metric on validation; versions without a record come last."""
    value = None if row.record is None else row.record.validation.estimate(metric).value
    return row.tier, float("inf") if value is None else -value


def _metric(row: Tier) -> str:
    """The objective of a version."""
    declared = None if row.record is None else row.record.objective
    return MEAN_RANK_IC if declared is None else declared.metric


def _objective(record: Record) -> str:
    """The objective of a version, and whether it reached its target."""
    declared = record.objective
    if declared is None:
        return metric_title(MEAN_RANK_IC)
    return metric_title(declared.metric) + (
        "" if declared.target is None else f", {declared.target:g}: {declared.verdict}"
    )


def _row(root: Path, row: Tier) -> str:
    metrics = ["not recorded"] * 7 + [ABSENT] if row.record is None else _metrics(root, row, row.record)
    *values, model = metrics
    cells = [
        f"`{row.tag}`{_implausible(row.record)}",
        "**best**" if row.best else "",
        *values,
        f"`{row.commit[:_HASH]}`",
        model,
    ]
    cells += [_trained(row.record), _quotes(root, row.commit)]
    return f"| {' | '.join(cells)} |"


def _metrics(root: Path, row: Tier, record: Record) -> list[str]:
    deflated = "undefined" if record.deflated_sharpe is None else f"{record.deflated_sharpe:.4f}"
    trials = "not recorded" if record.trials is None else f"{deflated} of {record.trials}"
    return [
        _objective(record),
        _rank_ic(root, row, "validation"),
        str(record.validation.sharpe),
        trials,
        _rank_ic(root, row, "test"),
        str(record.test.sharpe),
        _basis(record),
        f"`{record.model_sha256[:_HASH]}`",
    ]


def _implausible(record: Record | None) -> str:
    """The reason for which implausible results were released; nothing for plausible or unchecked ones."""
    if record is None or not record.implausible:
        return ""
    return f" **implausible**, released because: {markdown(record.despite_implausible or 'no reason')}"


def _trained(record: Record | None) -> str:
    """How long and on what the version was trained, as its tag records it."""
    return ABSENT if record is None or record.provenance is None else markdown(training(record.provenance))


def _quotes(root: Path, commit: str) -> str:
    """Where the commit's quotes come from, such as `synthetic`."""
    try:
        source = parameters(root, commit).get("quotes.source")
    except DataError:
        return f"`{paths.PARAMS}` is damaged"
    return ABSENT if source is None else markdown(str(source))


def _basis(record: Record) -> str:
    """The validation sessions, and how the version was compared with a best that had others."""
    before, validation = record.compared_with, record.validation
    if before is None or (before.common is None and before.basis == validation.basis):
        return validation.basis
    how = f"compared over {before.common} common sessions" if before.common else "NOT comparable"
    return f"{validation.basis}; {how} with `{before.tag}`"


def _rank_ic(root: Path, row: Tier, split: str) -> str:
    """The mean RankIC of the commit's metrics, if the tag's record and the sessions have the same numbers."""
    try:
        mean = mean_rank_ic(root, row.commit, split)
        if row.record is not None:
            headline.require_recorded(root, row.tag, row.commit, row.record, [split])
    except DataError:
        return f"`{paths.metrics_of(split)}` is damaged"
    except MismatchError:
        return f"the tag, `{paths.metrics_of(split)}` and its sessions differ"
    return ABSENT if mean is None else str(mean)
