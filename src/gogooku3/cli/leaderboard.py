"""`gogooku3 leaderboard`: the page that lists every released version."""

from __future__ import annotations

from pathlib import Path

import click

from gogooku3 import paths
from gogooku3.cli.output import echo
from gogooku3.recovery.releases.git import toplevel


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; check that the page is up to date.")
def leaderboard(check: bool) -> None:
    """Write docs/leaderboard.md from the tags.

    One row per version, best first: RankIC and Sharpe ratio with 95 % intervals, deflated Sharpe ratio, commit, hash of
    the model, and a mark at the best of each tier. `–` marks a metric that the version does not have.

    \b
    Examples:
      gogooku3 leaderboard
      gogooku3 leaderboard --check

    Exit codes: 0 written, or up to date with --check; 1 not up to date with --check; 8 Git failed.
    """
    from gogooku3.recovery.leaderboard import leaderboard as render
    from gogooku3.runtime.files import replaced_file

    root = toplevel(Path.cwd())
    page = root / paths.LEADERBOARD
    if not check:
        with replaced_file(page) as partial:  # the tags are read after the wait for another process that writes
            partial.write_text(render(root), encoding="utf-8")
        echo(page.relative_to(root))
    elif not page.is_file() or page.read_text(encoding="utf-8") != render(root):
        echo(f"`{paths.LEADERBOARD}` does not match the tags; `gogooku3 leaderboard` updates it", err=True)
        raise SystemExit(1)
    else:
        echo(f"`{paths.LEADERBOARD}` is up to date")
