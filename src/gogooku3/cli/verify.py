"""`gogooku3 verify`: integrity check of a model package."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.text import Text

from gogooku3 import paths
from gogooku3.cli.clone_options import in_project, trusted_keys_option
from gogooku3.cli.findings import table
from gogooku3.cli.output import console, echo_json
from gogooku3.errors import DataError

if TYPE_CHECKING:
    from gogooku3.recovery.checks.verdict import Verdict


@click.command()
@click.argument("package", type=click.Path(path_type=Path), default=in_project(paths.PACKAGE))
@click.option(
    "--dataset",
    type=click.Path(path_type=Path),
    help="Dataset to score; by default `data/dataset` of the repository of PACKAGE.",
)
@click.option(
    "--lock",
    type=click.Path(path_type=Path),
    help="Lock file that recorded the package; by default `dvc.lock` of the repository of PACKAGE.",
)
@trusted_keys_option
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def verify(package: Path, dataset: Path | None, lock: Path | None, trusted_keys: Path | None, as_json: bool) -> None:
    """Verify the integrity of a model package.

    Checks the files of PACKAGE (models/package) against its manifest and `dvc.lock`, its tensors against its
    configuration, its features against its own schema and the dataset's, and its golden predictions: bitwise if
    `environment.json` guarantees that for this machine, within a tolerance otherwise. If a release of the repository of
    PACKAGE recorded it, checks the signature of its tag. Checks that cannot run are skipped, with the reason.

    \b
    Examples:
      gogooku3 verify
      gogooku3 verify models/package --dataset data/dataset --json

    Exit codes: 0 no check failed; 1 a check failed; 2 the list of trusted keys is wrong; 3 there is no such package,
    dataset or lock file.
    """
    from gogooku3.runtime import numerics

    # The libraries of the checks read the pinned settings when they load. A package without numerics fails the check
    # `environment`.
    with suppress(DataError):
        from gogooku3.package.environment import read_numerics

        numerics.pin(read_numerics(package))
    from gogooku3.recovery.verify import default_inputs
    from gogooku3.recovery.verify import verify as run

    default_dataset, default_lock = default_inputs(package)
    verdict = run(
        package,
        dataset=dataset or default_dataset,
        lock=lock or default_lock,
        variables=sorted(os.environ),
        trusted_keys=trusted_keys,
    )
    if as_json:
        echo_json(verdict.as_json())
    else:
        _print(verdict)
    sys.exit(0 if verdict.good else 1)


def _print(verdict: Verdict) -> None:
    printer = console()
    printer.print(table(verdict.package, verdict.checks))
    if verdict.good:
        printer.print(Text(f"{verdict.package} is verified.", style="green"))
    else:
        failed = ", ".join(check.name for check in verdict.failed)
        printer.print(Text(f"{verdict.package} is NOT verified: {failed}.", style="bold red"))
