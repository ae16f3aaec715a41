"""Preflight: what makes a plan impossible is refused before the first stage works.

`params.yaml` has a valid schema here. `check` compares parameters with each other, with the trading calendar, with the
stocks that trade, with what the metrics need, and with the machine. It reads and computes little, changes nothing, and
refuses only what cannot work; the stages keep their own checks of the data.

The calendar of a synthetic market follows from the parameters. That of a file or of J-Quants is known as soon as its
quotes or its dataset exist.
"""

from __future__ import annotations

from gogooku3 import paths
from gogooku3.config import Params
from gogooku3.config.quotes import SyntheticQuotes
from gogooku3.preflight import sizes
from gogooku3.preflight.market import Market, listed, read_dataset, read_quotes
from gogooku3.preflight.parameters import check_parameters, check_universe, features_of
from gogooku3.preflight.periods import check_periods

_BEFORE_DATA = ("quotes", "parent")
"""Stages that do not depend on the dataset: what is on disk may be of other parameters."""
_LIGHT = ("parent", "quality", "plan", "report", "package")
"""Stages that need little of the machine: the others may have run on a larger one."""


def check_stage(params: Params, stage: str) -> None:
    """Checks the parameters before a stage starts; raises like `check`."""
    if stage in _BEFORE_DATA:
        market = None
    else:
        market = read_quotes(paths.QUOTES) if stage == "dataset" else read_dataset(paths.DATASET)
    check(params, market, machine=stage not in _LIGHT)


def check(
    params: Params, market: Market | None = None, *, walk_forward: bool | None = None, machine: bool = False
) -> None:
    """Refuses an impossible plan.

    Args:
        market: calendar and stocks of the data; None: those of a synthetic market, which the parameters determine, and
            no check of them for another source.
        walk_forward: whether to check the folds; None: if `evaluation.scheme` trains them.
        machine: whether to check this machine's disk and memory, because the stages run here.

    Raises:
        ConfigError: parameters conflict with each other or with the market.
        MachineError: this machine's memory or disk is too small for them.
        DataError: the splits or the folds do not fit into the calendar.
    """
    features = features_of(params.dataset)
    check_parameters(params, features)
    if market is None and isinstance(params.quotes, SyntheticQuotes):
        market = listed(params.quotes)
    if market is None:
        return
    check_universe(params, market)
    folds = params.evaluation.scheme == "walk_forward" if walk_forward is None else walk_forward
    check_periods(params, market, features.lookback, walk_forward=folds)
    if machine:
        sizes.check(params, market, features.count)
