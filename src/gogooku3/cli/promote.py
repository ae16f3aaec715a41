"""`gogooku3 promote`: releases this commit's package as a version of its tier."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from gogooku3 import paths, source
from gogooku3.recovery.releases.git import toplevel


@click.command()
@click.argument("tier")
@click.option("--version", metavar="vX.Y.Z", help="Version; by default the next minor one after the tier's newest.")
@click.option("--despite-worse", metavar="REASON", help="Release a model that is worse than the best; say why.")
@click.option("--json", "as_json", is_flag=True, help="Print the tags and their record as JSON.")
def promote(tier: str, version: str | None, despite_worse: str | None, as_json: bool) -> None:
    """Release this commit's package as a version of its tier.

    Checks the tree, the lock file and the package, pushes to the bucket and audits it. Then makes the annotated tag
    TIER@VERSION and, when the validation RankIC (mean over the horizons) beats that of the tier's best version, the tag
    TIER#best#N: both or none, and no tag is ever moved. The tag records, and the command prints, the gain with its 95 %
    interval and whether that excludes zero, how many different results of the tier the repository knows, the deflated
    Sharpe ratio for so many trials, and how many results on the test split had been seen. The tags stay local; the last
    line is the command that publishes them.

    \b
    Examples:
      gogooku3 promote tier1
      gogooku3 promote tier1 --version v2.0.0 --despite-worse "corrected splits"

    Exit codes: 0 released; 1 refused, with what to do; 2 wrong name, version or parameters; 3 files are missing; 4
    another clone's source is installed; 7 the bucket cannot be reached; 8 Git failed.
    """
    from gogooku3.package.environment import read_numerics
    from gogooku3.runtime import numerics

    if despite_worse is not None and not despite_worse.strip():
        raise click.BadParameter("the reason is empty; it goes into the tag", param_hint="--despite-worse")
    root = toplevel(Path.cwd())
    # What checks would else be another code than the commit holds that the tag names.
    source.require(root)
    # The libraries that verify the package read the pinned settings when they load.
    numerics.pin(read_numerics(root / paths.PACKAGE))
    from gogooku3.recovery.promote import promote as run
    from gogooku3.recovery.promote import publish
    from gogooku3.recovery.releases.record import comparison, readings, trials
    from gogooku3.recovery.releases.tags import Version

    wanted = None if version is None else Version.parse(version)
    made = run(root, tier, version=wanted, despite_worse=despite_worse, progress=_print_step)
    if as_json:
        click.echo(json.dumps({"tags": made.tags, "record": asdict(made.record)}, indent=2, ensure_ascii=False))
        return
    console = Console(highlight=False)
    console.print(f"[bold]{made.tags[0]}[/bold]{', best of its tier' if made.record.stage_tag else ''}")
    console.print(f"validation RankIC {made.record.validation.mean_rank_ic:.4f}; model {made.record.model_sha256[:16]}")
    console.print(f"compared with {comparison(made.record)}", soft_wrap=True)
    console.print(f"chosen from {trials(made.record)}", soft_wrap=True)
    console.print(f"test: {readings(made.record)}", soft_wrap=True)
    console.print(f"publish: {publish(made.tags)}", soft_wrap=True)


def _print_step(step: str) -> None:
    click.echo(f"checking: {step}", err=True)
