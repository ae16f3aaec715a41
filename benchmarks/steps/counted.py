"""One training step of a tier's phase on fake CUDA tensors, as training runs it, and what it costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from gogooku3.config import Params
from gogooku3.dataset.schema import EDGE_ATTRIBUTES
from gogooku3.dataset.splits import cut
from gogooku3.features.registry import select
from gogooku3.model.inputs import Block
from gogooku3.model.network import Network
from gogooku3.panel.panel import Panel
from gogooku3.sources.synthetic.market import calendar
from gogooku3.training.batches import Batch, plan
from gogooku3.training.distributed import SINGLE_PROCESS
from gogooku3.training.gradients import Gradients
from gogooku3.training.optimizer import adamw
from gogooku3.training.phases import PHASES
from steps.costs import Counter, Row
from steps.fake_cuda import fake_cuda

_OTHERS = 17.66
"""Distinct neighbours of a stock in a batch of 16 sessions of tier 1's synthetic market: a batch of 64 of its 3,800
stocks reads 1,027 stocks."""
_SCORED_SESSIONS = 16
"""Sessions per block of validation."""
PART = 10
"""A block of validation is counted with so many times fewer stocks, because its cost is proportional to them."""


@dataclass(frozen=True)
class Counts:
    """Cost of a step, or of a part of a block of validation."""

    samples: int
    """Sessions times stocks with a loss, or with a score that is used."""
    stocks: int
    """Stocks that are read, with the neighbours."""
    rows: Sequence[Row]
    """Every operation on the GPU."""
    transfers: int
    synchronisations: int
    peak: int

    @property
    def operations(self) -> int:
        return len(self.rows)

    @property
    def launches(self) -> int:
        return sum(row.cost.launches for row in self.rows)

    @property
    def flops(self) -> int:
        return sum(row.cost.flops for row in self.rows)

    @property
    def read(self) -> int:
        return sum(row.cost.read for row in self.rows)

    @property
    def written(self) -> int:
        return sum(row.cost.written for row in self.rows)


def step(params: Params, phase: str) -> Counts:
    """The second step of a phase: forward, loss, backward, gradient clipping and optimizer."""
    recipe, stocks = params.train.recipe, params.train.recipe.batch_stocks
    batch = Batch(0, recipe.batch_sessions, np.arange(stocks))
    sessions_D = np.datetime64("2024-01-01") + np.arange(batch.sessions)
    members = _members(params) if "graph" in PHASES[phase].blocks else stocks
    with fake_cuda():
        network = _network(params, phase).train()
        optimizer = adamw(
            network, getattr(params.train.phases, phase), recipe, PHASES[phase].adds if PHASES[phase].previous else ()
        )
        gradients = Gradients(network, _panel(params, sessions_D, {}), phase, recipe, SINGLE_PROCESS)
        blocks = [_block(params, members, batch.sessions) for _ in range(recipe.accumulate)]

        for parameter in network.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()  # makes its moments
        with Counter() as counter:
            counter.keep([*network.state_dict().values(), optimizer.state_dict()["state"], [vars(b) for b in blocks]])
            optimizer.zero_grad()
            gradients.mean([batch] * len(blocks), iter(blocks), 0, 0)
            torch.nn.utils.clip_grad_norm_(network.parameters(), recipe.gradient_clip)
            optimizer.step()
    return Counts(
        batch.samples * len(blocks), members, counter.rows, counter.transfers, counter.synchronisations, counter.peak
    )


def validation(params: Params, phase: str) -> Counts:
    """A part of a block of validation: the scores of some stocks in some sessions."""
    stocks = params.quotes.stocks // PART
    with fake_cuda(), torch.no_grad():
        network, block = _network(params, phase).eval(), _block(params, stocks, _SCORED_SESSIONS)
        with Counter() as counter:
            counter.keep([*network.state_dict().values(), vars(block)])
            network(block.x_ZSF, block.neighbours_DSK, block.edges_DSKE)
    return Counts(
        stocks * _SCORED_SESSIONS, stocks, counter.rows, counter.transfers, counter.synchronisations, counter.peak
    )


def epoch(params: Params) -> tuple[int, int]:
    """Steps of an epoch, and blocks of its validation, if every stock trades in every session."""
    sessions_T = calendar(params.quotes).to_numpy().astype("datetime64[D]")
    split = cut(sessions_T, params.dataset.split, horizon=max(params.dataset.horizons), lookback=1)
    steps = len(plan(_panel(params, sessions_T, split), params.train.recipe, "baseline", 0))
    first, last = split["validation"]
    blocks = last // _SCORED_SESSIONS - first // _SCORED_SESSIONS + 1
    return math.ceil(steps / params.train.recipe.accumulate), blocks


def _members(params: Params) -> int:
    """Expected number of stocks of a batch and their neighbours."""
    drawn, stocks = params.train.recipe.batch_stocks, params.quotes.stocks
    return drawn + round((stocks - drawn) * (1 - (1 - _OTHERS / stocks) ** drawn))


def _network(params: Params, phase: str) -> Network:
    features = len(select(params.dataset.features))
    with torch.device("cuda"):
        network = Network(PHASES[phase].architecture("", features, params.dataset.horizons, params.model), seed=0)
    network.precision = params.numerics.precision
    return network


def _block(params: Params, stocks: int, sessions: int) -> Block:
    features, neighbours = len(select(params.dataset.features)), params.dataset.graph.neighbours
    with torch.device("cuda"):
        return Block(
            x_ZSF=torch.empty(sessions + params.model.backbone.window - 1, stocks, features),
            neighbours_DSK=torch.empty(sessions, stocks, neighbours, dtype=torch.int64),
            edges_DSKE=torch.empty(sessions, stocks, neighbours, len(EDGE_ATTRIBUTES)),
            y_DSP=torch.empty(sessions, stocks, len(params.dataset.horizons)),
        )


def _panel(params: Params, sessions_T: np.ndarray, split: dict[str, tuple[int, int]]) -> Panel:
    """A panel in which every stock has a bar in every session, without features."""
    stocks, horizons = params.quotes.stocks, tuple(params.dataset.horizons)
    nothing = np.zeros((0, 0, 0), np.float32)
    return Panel(
        sessions=sessions_T,
        codes=tuple(map(str, range(stocks))),
        present_TS=np.ones((len(sessions_T), stocks), bool),
        y_TSH=np.broadcast_to(np.float32(0), (len(sessions_T), stocks, len(horizons))),
        horizons=horizons,
        split=split,
        features=(),
        abi="",
        x_TSF=nothing,
        neighbours_GSK=nothing.astype(np.int32),
        edges_GSKE=nothing,
        graph_of_T=np.zeros(0, np.int32),
    )
