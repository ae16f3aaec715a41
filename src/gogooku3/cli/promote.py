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
@click.option("--despite-worse", metavar="REASON", help="Release a model that is worse than the best, with a reason.")
@click.option("--sign", is_flag=True, help="Sign the tags, as Git does by itself if `tag.gpgSign` is set.")
@click.option("--json", "as_json", is_flag=True, help="Print the tags and their record as JSON.")
def promote(tier: str, version: str | None, despite_worse: str | None, sign: bool, as_json: bool) -> None:
    """Release this commit's package as a version of its tier.

    Checks the working tree, the lock file and the package, pushes to the bucket and audits it. Then creates the
    annotated tag TIER@VERSION and, if the validation RankIC (mean over the horizons) beats that of the tier's best
    version, the tag TIER#best#N; both or neither. No tag is ever moved. The tag records, and the command prints, the
    gain with its 95 % interval and whether that excludes zero, the number of different results of the tier (trials),
    the deflated Sharpe ratio for this number of trials, and how many test results had been seen. The tags stay local;
    the last line is the command that publishes them.

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
        raise click.BadParameter("the reason is empty; it is recorded in the tag", param_hint="--despite-worse")
    root = toplevel(Path.cwd())
    # The checks must run the code of the tagged commit.
    source.require(root)
    # The libraries that verify the package read the pinned settings when they load.
    numerics.pin(read_numerics(root / paths.PACKAGE))
    from gogooku3.recovery.promote import promote as run
    from gogooku3.recovery.promote import publish
    from gogooku3.recovery.releases.record import comparison, readings, trials
    from gogooku3.recovery.releases.tags import Version

    requested = None if version is None else Version.parse(version)
    released = run(root, tier, version=requested, despite_worse=despite_worse, sign=sign, progress=_print_step)
    if as_json:
        click.echo(json.dumps({"tags": released.tags, "record": asdict(released.record)}, indent=2, ensure_ascii=False))
        return
    console = Console(highlight=False)
    console.print(f"[bold]{released.tags[0]}[/bold]{', best of its tier' if released.record.stage_tag else ''}")
    console.print(
        f"validation RankIC {released.record.validation.mean_rank_ic:.4f}; model {released.record.model_sha256[:16]}"
    )
    console.print(f"compared with {comparison(released.record)}", soft_wrap=True)
    console.print(f"chosen from {trials(released.record)}", soft_wrap=True)
    console.print(f"test: {readings(released.record)}", soft_wrap=True)
    console.print(f"publish: {publish(released.tags)}", soft_wrap=True)


def _print_step(step: str) -> None:
    click.echo(f"checking: {step}", err=True)
