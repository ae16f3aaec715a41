"""The register of experiments as a Markdown page, `docs/register.md`; the same bytes for the same Git references."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from gogooku3.escaping import markdown
from gogooku3.objective import MEAN_RANK_IC, metric_title
from gogooku3.package.results import ABSENT
from gogooku3.recovery.changes import Change
from gogooku3.recovery.experiments.history import FETCH, Entry, Kind
from gogooku3.recovery.experiments.register import Register, Row

_HASH = 10
_LONGEST = 200
"""Characters of a text of others in a cell; `--json` has all of it."""
_LONGEST_VALUE = 40
_MOST_CHANGES = 8
_COLUMNS = (
    *("experiment", "date", "hypothesis", "parameters that differ", "RankIC, validation", "Sharpe, validation"),
    *("verdict", "released", "conclusion"),
)
_TEMPLATE = """\
# Register of experiments

Written by `gogooku3 experiments` from Git: every DVC experiment, every release, and every other commit with a result of
its own. [How to state a hypothesis and a conclusion](experiments.md#the-register-of-experiments).

This page knows of {experiments}.
A clone has no experiments until it pulls them: `{fetch}` gets those that
were pushed to the Git remote, and then `gogooku3 experiments` writes this page again, with the same bytes.

*Parameters that differ* and the *verdict* are against the commit from which an experiment was run, or else the release
of its tier before it. The verdict is about the objective of the tier on validation (`tier.metric`), the mean RankIC if
no other is named, with the gain over the same sessions and its 95 % confidence interval: *within noise* if the interval
holds 0.

{sections}
"""
_WORDS: dict[Kind, str] = {
    "experiment": "experiment",
    "trial": "trial of a search",
    "release": "release",
    "commit": "other commit",
}
_KNOWN = re.compile(r"^This page knows of (?P<count>[0-9]{1,9}) DVC experiments?\b", re.MULTILINE)


def page(register: Register) -> str:
    """The page, with a section per tier."""
    sections = [
        _section(tier, list(rows), register) for tier, rows in groupby(register.rows, key=lambda row: row.entry.tier)
    ]
    if register.elsewhere:
        lines = [f"- {_text(each.experiment)}: {_text(each.learned)}" for each in register.elsewhere]
        sections.append("\n".join(["## Conclusions of experiments that are not in this clone", "", *lines]))
    return _TEMPLATE.format(
        experiments=_number(register.dvc_experiments, "DVC experiment"),
        fetch=FETCH,
        sections="\n\n".join(sections) or "No experiment yet: `dvc exp run` makes one.",
    )


def known_experiments(text: str) -> int:
    """The number of DVC experiments that a page lists; 0 if it is no such page."""
    match = _KNOWN.search(text)
    return int(match["count"]) if match else 0


def as_json(register: Register) -> dict[str, Any]:
    """All facts of the page, without abbreviations."""
    return {
        "dvc_experiments": register.dvc_experiments,
        "trials": register.trials,
        "experiments": [_as_json(row) for row in register.rows],
        "conclusions_elsewhere": [vars(each) for each in register.elsewhere],
    }


def _as_json(row: Row) -> dict[str, Any]:
    entry, result = row.entry, row.result
    verdict = row.verdict
    return {
        "kind": entry.kind,
        "names": entry.names,
        "commit": entry.commit,
        "time": entry.time,
        "tier": entry.tier,
        "hypothesis": entry.hypothesis,
        "compared_with": entry.base,
        "parameters": None if row.changes is None else {each.name: [each.old, each.new] for each in row.changes},
        "rank_ic": None if result.rank_ic is None else vars(result.rank_ic),
        "sharpe": None if result.sharpe is None else vars(result.sharpe),
        "problem": result.problem,
        "verdict": None if verdict is None else verdict.label,
        "gain": None if verdict is None or verdict.gain is None else vars(verdict.gain),
        "metric": None if verdict is None else verdict.metric,
        "reason": None if verdict is None else verdict.reason,
        "released": [release.tag.name for release in entry.releases],
        "best": row.best,
        "conclusions": row.conclusions,
    }


def _section(tier: str | None, rows: list[Row], register: Register) -> str:
    heading = "Without a readable tier in `params.yaml`" if tier is None else _text(tier)
    kinds = Counter(row.entry.kind for row in rows)
    parts = [_number(kinds[kind], word) for kind, word in _WORDS.items() if kinds[kind]]
    trials = "" if tier is None else f"; {_number(register.trials[tier], 'different result')} on validation (trials)"
    head = [f"| {' | '.join(_COLUMNS)} |", "|---" * len(_COLUMNS) + "|"]
    return "\n".join([f"## {heading}", "", f"{', '.join(parts)}{trials}.", "", *head, *map(_row, rows)])


def _row(row: Row) -> str:
    entry = row.entry
    cells = [
        _name(entry),
        date_of(entry.time),
        "" if entry.hypothesis is None else _text(entry.hypothesis),
        "`params.yaml` cannot be read" if row.changes is None else _changes(row.changes),
        row.result.problem or _estimate(row.result.rank_ic),
        "" if row.result.problem else _estimate(row.result.sharpe),
        _verdict(row),
        ", ".join(_text(release.tag.name) for release in entry.releases) + " (**best**)" * row.best,
        " ".join(map(_text, row.conclusions)),
    ]
    return f"| {' | '.join(cells)} |"


def _name(entry: Entry) -> str:
    """The name and the commit; the commit alone if it has no name."""
    return " ".join([*(f"{_text(name)}," for name in entry.names[:1]), entry.commit[:_HASH]])


def date_of(time: int) -> str:
    """The day of a commit's time, in UTC."""
    try:
        return datetime.fromtimestamp(time, UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):  # whoever commits can set any time
        return ABSENT


def _changes(changes: list[Change]) -> str:
    shown = [f"{_text(each.name)}: {_value(each.old)} → {_value(each.new)}" for each in changes[:_MOST_CHANGES]]
    more = len(changes) - len(shown)
    return "; ".join([*shown, *[f"and {more} more"] * bool(more)])


def _value(value: Any) -> str:
    if value is None:
        return ABSENT
    return _text(value if isinstance(value, str) else json.dumps(value, default=str), _LONGEST_VALUE)


def _estimate(estimate: Any) -> str:
    return ABSENT if estimate is None else str(estimate)


def _verdict(row: Row) -> str:
    verdict, entry = row.verdict, row.entry
    if verdict is None or entry.base is None:
        return ABSENT
    other = _text(entry.base_name or entry.base[:_HASH])
    if verdict.gain is None:
        return f"not compared with {other}: {_text(verdict.reason or '')}"
    words = {"better": "better than", "worse": "worse than", "within noise": "within noise of"}
    metric = "" if verdict.metric == MEAN_RANK_IC else f"{_text(metric_title(verdict.metric))} "
    return f"**{words[verdict.label]}** {other}: {metric}{verdict.gain}"


def _text(text: str, longest: int = _LONGEST) -> str:
    """Text of others, short and without markup."""
    return markdown(text if len(text) <= longest else f"{text[:longest]}…")


def _number(count: int, word: str) -> str:
    first, _, rest = word.partition(" of ")
    return f"{count} {first}{'' if count == 1 else 's'}{f' of {rest}' if rest else ''}"
