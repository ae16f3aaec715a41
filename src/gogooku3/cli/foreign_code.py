"""Asks before a verb runs code of a repository other than the current one."""

from __future__ import annotations

import sys

import click

from gogooku3.cli.clone_options import CloneOptions
from gogooku3.cli.output import echo
from gogooku3.errors import RefusedError

yes_option = click.option("--yes", is_flag=True, help="Run the code of another repository (--from) without asking.")


def confirm(verb: str, runs: str, options: CloneOptions, yes: bool) -> None:
    """Says on stderr that foreign code will run, and asks once; the code of the current repository needs no answer.

    Args:
        verb: the verb that runs the code.
        runs: the code that it runs.
        yes: whether the user has already agreed.

    Raises:
        RefusedError: the answer is no, or there is no terminal to ask on. Nothing was cloned.
    """
    if not options.foreign:
        return
    # Imported late: it loads DVC, which the help does not need.
    from gogooku3.recovery.storage.settings import without_password

    url = without_password(options.url)
    what = f"`gogooku3 {verb}` runs code of {url} with your permissions: {runs}"
    hint = "`gogooku3 recover` gets and verifies a model without running its repository's code"
    if not yes and not _can_ask():
        raise RefusedError(
            f"{what}; without a terminal, it cannot ask you", hint=f"if you trust {url}, add `--yes`; {hint}"
        )
    echo(what, err=True)
    if not yes and not click.confirm("Do you trust it?", err=True):
        raise RefusedError(f"nothing of {url} was run", hint=hint)


def _can_ask() -> bool:
    """Whether both streams of a question are a terminal; a service may have closed them."""
    return all(stream is not None and not stream.closed and stream.isatty() for stream in (sys.stdin, sys.stderr))
