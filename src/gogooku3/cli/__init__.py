"""`gogooku3 VERB`, one module per verb: thin, no logic. Errors end with their code and a hint (`gogooku3.errors`)."""

from __future__ import annotations

import errno
import sys
from typing import Any

import click

from gogooku3.cli.archive import archive
from gogooku3.cli.audit import audit
from gogooku3.cli.dataset import dataset
from gogooku3.cli.diff import diff
from gogooku3.cli.doctor import doctor
from gogooku3.cli.drill import drill
from gogooku3.cli.export import export
from gogooku3.cli.features import features
from gogooku3.cli.folds import folds
from gogooku3.cli.jquants import jquants
from gogooku3.cli.leaderboard import leaderboard
from gogooku3.cli.locate import locate
from gogooku3.cli.predict import predict
from gogooku3.cli.promote import promote
from gogooku3.cli.recover import recover
from gogooku3.cli.report import report
from gogooku3.cli.reproduce import reproduce
from gogooku3.cli.search import search
from gogooku3.cli.summary import summary
from gogooku3.cli.tiers import tiers
from gogooku3.cli.verify import verify
from gogooku3.errors import UserError, unusable


class _Group(click.Group):
    """Prints what a user can cause as one message, never as a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UserError as error:
            told = error
        except OSError as error:
            if error.errno == errno.EPIPE:  # whoever reads what is printed has seen enough: click ends quietly
                raise
            told = unusable(error)
        click.echo(f"error: {told}", err=True)
        sys.exit(told.exit_code)


@click.group(cls=_Group)
@click.version_option(package_name="gogooku3")
def main() -> None:
    """Train, package and get back models that rank Japanese equities."""


_RECOVERY = (verify, audit, promote, tiers, diff, recover, doctor, locate, archive, reproduce, drill)

for verb in (dataset, features, folds, jquants, search, predict, export, summary, report, leaderboard, *_RECOVERY):
    main.add_command(verb)
