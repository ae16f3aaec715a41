"""`gogooku3 folds`: preview of the walk-forward folds."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from gogooku3 import paths, source
from gogooku3.cli.output import echo_json

if TYPE_CHECKING:
    from gogooku3.config import Params


@click.command()
@click.option(
    "-S", "settings", multiple=True, metavar="NAME=VALUE", help="A parameter, as in `dvc exp run -S`; may be repeated."
)
@click.option("--json", "as_json", is_flag=True, help="Print the folds as JSON.")
def folds(settings: tuple[str, ...], as_json: bool) -> None:
    """Show the walk-forward folds with their dates.

    For each fold of `evaluation.walk_forward`, the dates of its training, validation and test. Nothing is trained or
    written. Sessions come from `data/dataset`, parameters from `params.yaml` or, with -S, as `dvc exp run -S` composes
    them. `dvc exp run -S evaluation.scheme=walk_forward` trains the folds.

    \b
    Examples:
      gogooku3 folds
      gogooku3 folds -S evaluation.walk_forward.expanding=true

    Exit codes: 0 shown; 2 the configuration is wrong, or the folds cannot be evaluated; 3 the dataset is missing, or
    too short for a fold; 4 another clone's source is installed.
    """
    from gogooku3 import config
    from gogooku3.runtime import numerics

    source.require(Path.cwd())
    params = _composed(settings) if settings else config.load()
    numerics.pin(params.numerics)
    from gogooku3 import preflight
    from gogooku3.dataset.schema import Schema
    from gogooku3.preflight.market import read_dataset
    from gogooku3.walk_forward.plan import plan, sessions_of
    from gogooku3.walk_forward.print_plan import print_plan

    sessions, walk, split = sessions_of(paths.DATASET), params.evaluation.walk_forward, params.dataset.split
    preflight.check(params, read_dataset(paths.DATASET), walk_forward=True)
    planned = plan(sessions, Schema.read(paths.DATASET / "schema.json"), walk, split)
    if as_json:
        echo_json([fold.as_json(sessions) for fold in planned])
    else:
        print_plan(planned, sessions, walk, split)


def _composed(settings: tuple[str, ...]) -> Params:
    """The parameters as `dvc exp run -S …` composes them."""
    from dvc.utils.hydra import compose_and_dump
    from hydra.errors import HydraException

    from gogooku3 import config
    from gogooku3.errors import ConfigError

    root = Path.cwd()
    with TemporaryDirectory() as folder:
        target = Path(folder) / paths.PARAMS
        try:
            compose_and_dump(target, str(root / paths.CONF), None, "config", str(root), list(settings))
        except HydraException as error:
            raise ConfigError(
                f"`conf/` cannot be composed with {' '.join(settings)}: {error}",
                hint="`conf/` lists every parameter with its meaning and allowed values",
            ) from None
        return config.load(target)
