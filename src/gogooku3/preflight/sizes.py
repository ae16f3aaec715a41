"""Lower bounds of the disk space and memory that a plan needs, against what the machine has.

Only what is certain is counted, so a plan above a bound cannot work, and one below it may still not. Letters: T
sessions, S stocks, B bars, F features, H horizons, G graphs, K neighbours, N samples of a batch, L window, W hidden
size.

=============  =====================================================================================
what           bytes
=============  =====================================================================================
disk           panel: 4 TSF + TS + 4 TSH + 16 GSK + 4 T; dataset: `_STORED` · 4 B (F + H)
dataset        4 F · (sessions of the largest calendar year) · S
batch          4 F · (sessions + L − 1) · stocks, and the LSTM's gates: 16 N L W
weights        16 · (F (3 W² + 6 W) + 8 W²): weights, gradients and two moments of AdamW, in single precision
baselines      4 F · rows, twice: with missing values and without
intervals      24 · draws · 20, the fewest sessions: three arrays of the stationary bootstrap
=============  =====================================================================================
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil  # type: ignore[import-untyped]
from rich.filesize import decimal

from gogooku3 import paths
from gogooku3.config import Params
from gogooku3.errors import MachineError
from gogooku3.evaluation.evaluate import MIN_SESSIONS
from gogooku3.features.graph import refreshes
from gogooku3.preflight.market import Market

_STORED = 0.7
"""Share of the dataset's values that is left after compression; 0.77 with 3,800 synthetic stocks and 395 features, 0.9
with the small synthetic market."""


@dataclass(frozen=True)
class Need:
    """Memory that one step holds at once."""

    what: str
    parameters: str
    size: int
    """In bytes."""


def check(params: Params, market: Market, features: int) -> None:
    """Refuses a plan that this machine's disk or memory cannot hold; raises `MachineError`."""
    if not paths.DATASET.exists():  # an existing one has its space already
        require_disk(disk(params, market, features), shutil.disk_usage(Path.cwd()).free, features)
    require_memory(memory(params, market, features), psutil.virtual_memory().total + psutil.swap_memory().total)


def disk(params: Params, market: Market, features: int) -> int:
    """Bytes of the dataset and of its memory-mapped panel."""
    T, S = len(market.sessions), market.stocks
    F, H, K = features, len(params.dataset.horizons), params.dataset.graph.neighbours
    graphs = len(refreshes(T, params.dataset.graph))
    panel = 4 * T * S * (F + H) + T * S + 16 * graphs * S * K + 4 * T
    bars = float(market.trading_TS.sum()) * market.share
    return panel + int(_STORED * 4 * bars * (F + H))


def memory(params: Params, market: Market, features: int) -> list[Need]:
    """Memory of each step."""
    T, S, F = len(market.sessions), market.stocks, features
    recipe, backbone = params.train.recipe, params.model.backbone
    W, L, D = backbone.hidden_size, backbone.window, recipe.batch_sessions
    _, year_T = np.unique(market.sessions.astype("datetime64[Y]"), return_counts=True)
    stocks = -(-min(recipe.batch_stocks, S) // params.numerics.shares)
    rows = min(params.baselines.rows, T * S)
    needs = [
        Need("a year of features", f"`dataset.features` {params.dataset.features}", 4 * F * int(year_T.max()) * S),
        Need("the baselines' training rows", f"`baselines.rows` {params.baselines.rows}", 8 * F * rows),
        Need(
            "the bootstrap's resampled sessions",
            f"`evaluation.bootstrap.draws` {params.evaluation.bootstrap.draws}",
            24 * params.evaluation.bootstrap.draws * MIN_SESSIONS,
        ),
    ]
    if params.numerics.device == "cpu":  # a GPU has its own memory
        batch = f"`train.recipe.batch_size` {recipe.batch_size}, `model.backbone.window` {L}"
        hidden = f"`model.backbone.hidden_size` {W}"
        needs += [
            Need("a batch", f"{batch}, {hidden}", 4 * F * (D + L - 1) * stocks + 16 * D * stocks * L * W),
            Need("the weights and the optimizer's state", hidden, 16 * (F * (3 * W * W + 6 * W) + 8 * W * W)),
        ]
    return needs


def require_disk(size: int, free: int, features: int) -> None:
    """Refuses a dataset that does not fit; raises `MachineError`."""
    if size > free:
        raise MachineError(
            f"the dataset and its panel take at least {decimal(size)}, and {decimal(free)} are free: {features}"
            " features (`dataset.features`) of all bars from `quotes.start` to `quotes.end`",
            hint="free some space, or choose fewer features, stocks or sessions",
        )


def require_memory(needs: list[Need], total: int) -> None:
    """Refuses a step that does not fit into memory and swap; raises `MachineError`."""
    for need in needs:
        if need.size > total:
            raise MachineError(
                f"{need.what} ({need.parameters}) takes at least {decimal(need.size)} of memory, this machine has"
                f" {decimal(total)}, with swap",
                hint="lower these parameters, or use a machine with more memory",
            )
