"""`gogooku3 experiments`: the register of everything that was tried; `conclude` adds what was learned."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from gogooku3 import paths
from gogooku3.cli.output import echo, echo_json
from gogooku3.recovery.releases.git import toplevel


@click.group(invoke_without_command=True)
@click.option("--check", is_flag=True, help="Write nothing; check that the page is up to date.")
@click.option("--json", "as_json", is_flag=True, help="Write nothing; print every experiment as JSON.")
@click.pass_context
def experiments(context: click.Context, check: bool, as_json: bool) -> None:
    """Write docs/register.md: every experiment and what came out.

    From Git alone: DVC experiments, trials of searches, releases, and other commits with a result of their own. A row
    has the hypothesis, the parameters that differ from the commit that it is compared with, the result on validation
    with its 95 % interval, the verdict (better, worse, within noise), the tags of its releases, and the conclusion. A
    clone has no experiments until `dvc exp pull` gets them.

    \b
    Examples:
      gogooku3 experiments
      gogooku3 experiments --check
      gogooku3 experiments conclude tier1@v1.0.0 "wider layers gain nothing"

    Exit codes: 0 written, or up to date with --check; 1 not up to date with --check, or a shallow clone; 2 the
    parameters at HEAD are wrong; 3 docs/conclusions.yaml or params.yaml at HEAD is damaged; 8 Git failed.
    """
    if context.invoked_subcommand is not None:
        if check or as_json:
            raise click.UsageError(f"--check and --json do not apply to `{context.invoked_subcommand}`")
        return
    from gogooku3.recovery.experiments.page import as_json as content
    from gogooku3.recovery.experiments.page import known_experiments, page
    from gogooku3.recovery.experiments.register import register
    from gogooku3.runtime.files import replaced_file

    root = toplevel(Path.cwd())
    if as_json:
        echo_json(content(register(root)))
        return
    target = root / paths.REGISTER
    with ExitStack() as stack:
        partial = None if check else stack.enter_context(replaced_file(target))
        # Read after the wait for another process that writes the page: the last one writes the newest facts.
        before = target.read_text(encoding="utf-8", errors="replace") if target.is_file() else ""
        found = register(root)
        text = page(found)
        if partial is not None:
            partial.write_text(text, encoding="utf-8")
    if not check:
        echo(target.relative_to(root))
    elif before == text:
        echo(f"`{paths.REGISTER}` is up to date")
    else:
        echo(f"`{paths.REGISTER}` does not match Git; `gogooku3 experiments` updates it", err=True)
    if found.dvc_experiments < known_experiments(before):
        _print_missing(known_experiments(before), found.dvc_experiments)
    if check and before != text:
        raise SystemExit(1)


@experiments.command()
@click.argument("experiment", metavar="ID")
@click.argument("learned", metavar="SENTENCE")
def conclude(experiment: str, learned: str) -> None:
    """Record what was learned from an experiment.

    ID is an experiment's name, a release's tag, or the first characters of a commit, as the register shows them. The
    sentence goes to docs/conclusions.yaml, which is to be committed: a clone has it, tags stay as they are. A second
    sentence replaces the first.

    \b
    Examples:
      gogooku3 experiments conclude demo-7 "dropout above 0.3 costs RankIC at every horizon"
      gogooku3 experiments conclude 1a2b3c4d5e "a longer window gains nothing"

    Exit codes: 0 written; 1 a shallow clone; 2 the sentence is empty, or ID is the name of several experiments; 3 there
    is no such experiment, or docs/conclusions.yaml is damaged; 8 Git failed.
    """
    from gogooku3.recovery.experiments import conclusions, history

    root = toplevel(Path.cwd())
    entry = history.find(history.entries(root), experiment)
    replaced = conclusions.conclude(root, entry.commit, next(iter(entry.names), entry.commit[:10]), learned)
    if replaced is not None:
        echo(f"replaced: {replaced.learned}")
    echo(f"next: `gogooku3 experiments`, then `git add {paths.REGISTER} {paths.CONCLUSIONS}` and `git commit`")


def _print_missing(before: int, now: int) -> None:
    from gogooku3.recovery.experiments.history import FETCH

    echo(f"the page listed {before} DVC experiments, and this clone has {now}: `{FETCH}` gets those", err=True)
    echo("of the Git remote; those that were removed are gone from the page", err=True)
