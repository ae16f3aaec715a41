"""`gogooku3 runs`: the experiments of a tier in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.text import Text

from gogooku3.cli.output import console, echo
from gogooku3.recovery.releases.git import toplevel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gogooku3.recovery.experiments.register import Row

_STYLES = {"better": "green", "worse": "red"}


@click.command()
@click.argument("tier", required=False)
@click.option("--last", type=click.IntRange(min=1), metavar="N", help="Only the N newest of each tier.")
def runs(tier: str | None, last: int | None) -> None:
    """Show the experiments of a tier: what differs, and what came out.

    From the oldest to the newest, each with its name, commit and date; the verdict and the gain over the commit that it
    is compared with; RankIC and Sharpe ratio on validation with their 95 % intervals; the parameters that differ. All
    tiers without TIER. `gogooku3 experiments` writes the same as a page, with hypotheses and conclusions.

    \b
    Examples:
      gogooku3 runs
      gogooku3 runs tier1 --last 10

    Exit codes: 0 shown, even if there is none; 1 a shallow clone; 2 the parameters at HEAD are wrong; 3 there is no
    such tier, or params.yaml at HEAD is damaged; 8 Git failed.
    """
    from gogooku3.errors import DataError
    from gogooku3.recovery.experiments.register import register

    found = register(toplevel(Path.cwd()))
    tiers = list(dict.fromkeys(row.entry.tier or "" for row in found.rows))
    if tier is not None and tier not in tiers:
        raise DataError(
            f"no experiment of the tier `{tier}`",
            hint=f"tiers with one: {', '.join(tiers) or 'none'}; `dvc exp pull` gets those that others pushed",
        )
    if not tiers:
        echo("no experiment yet: `dvc exp run` makes one")
    for name in [tier] if tier is not None else tiers:
        rows = [row for row in found.rows if (row.entry.tier or "") == name]
        results = f", {found.trials[name]} different results on validation (trials)" if name in found.trials else ""
        console(soft_wrap=True).print(Text(f"{name or 'without a readable tier'}: {len(rows)} experiments{results}\n"))
        for row in rows[-(last or len(rows)) :]:
            console(soft_wrap=True).print(Text("\n").join([*_lines(row), Text()]))


def _lines(row: Row) -> Iterator[Text]:
    from gogooku3.recovery.experiments.page import date_of

    entry, result, verdict = row.entry, row.result, row.verdict
    name = "".join(f"{name}  " for name in entry.names[:1])
    tags = [release.tag.name for release in entry.releases if release.tag.name not in entry.names[:1]]
    facts = "  ".join([entry.commit[:8], date_of(entry.time), *tags])
    head = Text.assemble((name, "bold"), facts)
    yield head.append("  best", "bold green") if row.best else head
    if verdict is not None and verdict.gain is not None:
        against = entry.base_name or (entry.base or "")[:8]
        yield Text.assemble(
            "  ", (verdict.label, _STYLES.get(verdict.label, "")), f" against {against}: {verdict.gain}"
        )
    if result.problem is not None:
        yield Text(f"  {result.problem}")
    else:
        yield Text(f"  RankIC {result.rank_ic}  Sharpe {result.sharpe}")
    if row.changes is None:
        yield Text("  params.yaml cannot be read")
    for change in row.changes or []:
        yield Text(f"  {change.name}: {change.old} → {change.new}")
