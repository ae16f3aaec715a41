"""`gogooku3 drill`: rehearses the recovery of releases, as on a new machine."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gogooku3 import paths
from gogooku3.cli.clone_options import clone_options, from_option, settings_option, trusted_keys_option
from gogooku3.cli.foreign_code import confirm, yes_option
from gogooku3.cli.output import console, echo, echo_json
from gogooku3.errors import NOT_COMPARED


@click.command()
@click.argument("names", metavar="[TIER[@VERSION]]...", nargs=-1)
@click.option("--all-tags", is_flag=True, help="Rehearse every version of every tier.")
@from_option
@settings_option
@trusted_keys_option
@click.option(
    "--report",
    type=click.Path(path_type=Path, file_okay=False),
    default=paths.LOGS,
    show_default=True,
    help="Folder for drill.md and drill.json.",
)
@yes_option
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def drill(
    names: tuple[str, ...],
    all_tags: bool,
    url: str | None,
    settings: Path | None,
    trusted_keys: Path | None,
    report: Path,
    yes: bool,
    as_json: bool,
) -> None:
    """Rehearse the recovery of releases in new environments.

    Rehearses each TIER (its best version) or TIER@VERSION; by default the best version of every tier. For each release:
    a clone in a new folder, a new environment from its requirements.lock (one for all releases that share it), package
    and data from the remotes only, with checksum verification; then the release's own code verifies the package and
    scores the evaluated sessions again. Every step is timed. After a failure, the drill continues with the next
    release. Temporary folders are removed; those of a killed drill by the next one.

    This installs the libraries of each release and runs its code with your permissions. If --from names another
    repository than the one in the current folder, it asks first; without a terminal it refuses, unless --yes is given.

    \b
    Examples:
      gogooku3 drill tier1
      gogooku3 drill --all-tags --report logs/drills

    Exit codes: 0 every release was recovered; 1 a release was not, or nobody agreed to run another repository's code;
    2 the list of trusted keys is wrong; 3 there is no such version; 8 Git failed; 10 every release was recovered, but
    the tag of one has no readable record to compare its model with.
    """
    from gogooku3.recovery.drill import drill as run
    from gogooku3.recovery.drill_report import as_json as as_tree
    from gogooku3.recovery.drill_report import as_markdown, write

    options = clone_options(url, settings)
    confirm("drill", "its build, its `verify` and `predict`, and the libraries of its lock file", options, yes)
    result = run(
        options.url,
        names,
        all_tags=all_tags,
        settings=options.settings,
        trusted_keys=trusted_keys,
        log=lambda line: echo(line, err=True),
    )
    write(result, report)
    if as_json:
        echo_json(as_tree(result))
    else:
        from rich.markdown import Markdown

        console().print(Markdown(as_markdown(result), hyperlinks=False))
    if not result.recovered:
        sys.exit(1)
    sys.exit(0 if result.good else NOT_COMPARED)
