"""`gogooku3 tiers`: the released versions of all tiers."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from gogooku3.cli.output import console, echo, echo_json
from gogooku3.package.results import ABSENT
from gogooku3.recovery.releases.git import toplevel

if TYPE_CHECKING:
    from gogooku3.recovery.releases.estimates import Measured
    from gogooku3.recovery.releases.record import Record
    from gogooku3.recovery.tiers import Tier

_COMPLETE = Text("bucket complete", style="green")
_INCOMPLETE = Text("bucket lacks objects", style="bold red")


@click.command()
@click.option("--check", is_flag=True, help="Check that the bucket has every object of each version.")
@click.option("--json", "as_json", is_flag=True, help="Print the versions with their records as JSON.")
def tiers(check: bool, as_json: bool) -> None:
    """List the released versions of every tier with their metrics.

    Metrics with 95 % intervals, commit, hash of the model, the release that training started from, how long training
    took, and the reason for which implausible results were released; with --json also on what it was trained.
    Everything is read from the tags; a tag that `promote` did not create has no metrics.

    \b
    Examples:
      gogooku3 tiers
      gogooku3 tiers --check --json

    Exit codes: 0 listed, even if empty; 1 the bucket lacks an object (with --check); 3 a version
    cannot be read; 7 the bucket cannot be reached; 8 Git failed.
    """
    from gogooku3.recovery.tiers import tiers as read

    rows = read(toplevel(Path.cwd()), check=check)
    if as_json:
        echo_json([asdict(row) for row in rows])
    elif rows:
        console().print(_table(rows))
    else:
        echo("no released version yet: `gogooku3 promote TIER` creates the first")
    if any(row.in_bucket is False for row in rows):
        raise SystemExit(1)


def _table(rows: list[Tier]) -> Table:
    table = Table(
        "version", "metric", "validation", "test", box=SIMPLE, show_edge=False, pad_edge=False, collapse_padding=True
    )
    for row in rows:
        table.add_section()
        if row.object_of is not None:
            table.add_row(_identity(row), Text(f"NOT a release: object of {row.object_of}", style="bold red"))
        else:
            table.add_row(_identity(row), *(_metrics(row.record) if row.record else ("not recorded",)))
    return table


def _identity(row: Tier) -> Text:
    """Tag, commit, model, parent and training of a version, line by line."""
    from gogooku3.recovery.releases.record import duration

    lines = [Text(row.tag, style="bold")]
    if row.best:
        lines.append(Text("best", style="bold green"))
    lines.append(Text(f"commit {row.commit[:8]}"))
    if row.record:
        lines.append(Text(f"model  {row.record.model_sha256[:8]}"))
        if row.record.parent:
            lines.append(Text(f"from   {row.record.parent.tag}"))
        if row.record.provenance and row.record.provenance.training_seconds is not None:
            lines.append(Text(f"trained {duration(row.record.provenance.training_seconds)}"))
        if row.record.implausible:
            reason = row.record.despite_implausible or "no reason"
            lines.append(Text(f"implausible, released because: {reason}", style="bold red"))
    if row.in_bucket is not None:
        lines.append(_COMPLETE if row.in_bucket else _INCOMPLETE)
    return Text("\n").join(lines)


def _metrics(record: Record) -> tuple[str, Text, Text]:
    """Names and values of the metrics for both splits, line by line."""
    splits = (record.validation, record.test)
    horizons = list(dict.fromkeys(horizon for split in splits for horizon in split.rank_ic))
    names = ["RankIC mean", *(f"RankIC {horizon:>4}" for horizon in horizons), "Sharpe"]
    values = (
        [_mean(split), *(str(split.rank_ic.get(horizon, ABSENT)) for horizon in horizons), str(split.sharpe)]
        for split in splits
    )
    validation, test = (Text("\n".join(lines)) for lines in values)
    return "\n".join(names), validation, test


def _mean(split: Measured) -> str:
    return "undefined" if split.mean_rank_ic is None else f"{split.mean_rank_ic:.4f}"
