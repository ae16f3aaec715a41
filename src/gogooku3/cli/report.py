"""`gogooku3 report`: comparison page of two models."""

from __future__ import annotations

from pathlib import Path

import click

from gogooku3 import paths, source
from gogooku3.cli.output import echo
from gogooku3.recovery.releases.git import toplevel


@click.command()
@click.argument("old", metavar="A")
@click.argument("new", metavar="[B]", default="workspace")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The page to write; by default `logs/compare.html`, which Git ignores.",
)
def report(old: str, new: str, output: Path | None) -> None:
    """Write a page that compares two models.

    The page has the verdict on the difference, the differing parameters, and the curves of both. A and B are tags,
    commits, branches, or `workspace` (the default of B). The difference is computed over the common sessions, by
    stationary bootstrap, with its 95 % interval. `–` marks a metric that an older version does not have; without daily
    values, there is no difference. `dvc repro` writes the page of one model, `reports/tier.html`.

    \b
    Examples:
      gogooku3 report tier1@v1.0.0
      gogooku3 report tier1@v1.0.0 tier1@v1.1.0 --output compare.html

    Exit codes: 0 written, whether they differ or not; 2 the parameters are wrong; 3 one has no metrics or damaged ones,
    or there are too few common sessions; 4 another clone's source is installed; 8 a name is not a revision.
    """
    from gogooku3.recovery.compare import compare
    from gogooku3.report.compare_page import write
    from gogooku3.report.model_pair import headline

    root = toplevel(Path.cwd())
    source.require(root)
    pair = compare(root, old, new)
    target = output or root / paths.COMPARISON_PAGE
    write(pair, target)
    for split in ("validation", "test"):
        echo(f"{split}: {headline(pair, split)[0]}")
    echo(f"page: {target}")
