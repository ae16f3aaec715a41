"""Each block learns the effect that it is made for, on synthetic markets with one alpha signal each.

The slow effect is for the backbone. A cycle that shows in the level of a stock's turnover alone, below what sets one
stock apart from another, is for the normalisation that takes cycles and levels apart. The neighbours' effect cannot be
seen in a stock's own features at all. The phases are trained as the stage trains them. The gain of a phase is judged
against the phase before it, and against the same epochs on the same batches without its block.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from gogooku3.assembly.build import build
from gogooku3.assembly.history import History
from gogooku3.config.dataset import Dataset, Graph, Joined, Split
from gogooku3.config.evaluation import Bootstrap
from gogooku3.config.quotes import Inputs, Planted, SyntheticQuotes
from gogooku3.config.train import Loss
from gogooku3.config.train import Phase as Pace
from gogooku3.metrics.paired_difference import mean_over_horizons
from gogooku3.metrics.ranking import rank_ic
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.network import Network
from gogooku3.model.scoring import score
from gogooku3.model.weights import load, save, write_tensors
from gogooku3.panel.panel import Panel, read_panel
from gogooku3.sources.source import make
from gogooku3.training.checkpoints import Checkpoints
from gogooku3.training.loop import train
from gogooku3.training.phases import PHASES, Phase
from gogooku3.training.start import STATE, start

from ..conftest import SMALL
from ..recipes import recipe

pytestmark = pytest.mark.slow

STOCKS = 72
FEATURES = ("ret_1", "ret_overnight_1", "vol_close_20", "log_turnover_1")
"""Features that show the effects, and the last return; none compares turnover with its own past."""
MODEL = replace(SMALL, backbone=replace(SMALL.backbone, window=16))
RECIPE = recipe(
    batch_size=16 * STOCKS,
    batch_stocks=STOCKS,
    weight_decay=1e-2,
    loss=Loss(sharpe=1.0, rank_ic=0.0, ic=10.0, horizons=[1.0, 1.0]),
)
RATE = 3e-3
BOOTSTRAP = Bootstrap(draws=1000, mean_block=10, seed=0)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Panel]:
    """Makes the panel of a market with one alpha signal."""

    @cache
    def panel_of(effect: str, strength: float) -> Panel:
        nothing = dict.fromkeys(("slow", "reversal", "frequency", "neighbours"), 0.0)
        made = make(
            SyntheticQuotes(
                source="synthetic",
                inputs=Inputs(bars="-", listed="-", index="-"),
                seed=7,
                stocks=STOCKS,
                start=date(2020, 7, 1),
                end=date(2023, 12, 29),
                sectors=6,
                cluster_size=6,
                listed_later=0.0,
                delisted=0.0,
                suspended=0.002,
                splits=0.1,
                planted=Planted(**{**nothing, effect: strength}),
            )
        )
        params = Dataset(
            features="core",
            clip=5.0,
            horizons=[1, 5],
            graph=Graph(window=60, neighbours=8, refresh=5),
            split=Split(
                train_from=date(2020, 7, 1),
                validation_from=date(2022, 12, 1),
                test_from=date(2023, 4, 3),
                embargo=20,
            ),
            joined=Joined(folder="", tables={}),
        )
        folder = tmp_path_factory.mktemp(effect) / "dataset"
        build(History(made.bars.lazy(), made.listed, made.index), params, folder)
        panel = read_panel(folder)
        kept = [panel.features.index(name) for name in FEATURES]
        return replace(panel, features=FEATURES, x_TSF=np.ascontiguousarray(panel.x_TSF[..., kept]))

    return panel_of


def shuffled(panel: Panel) -> Panel:
    """Targets permuted among the stocks of each session: nothing can be predicted."""
    random, y_TSH = np.random.default_rng(0), panel.y_TSH.copy()
    for row_SH, present_S in zip(y_TSH, panel.present_TS, strict=True):
        row_SH[present_S] = row_SH[random.permutation(np.flatnonzero(present_S))]
    return replace(panel, y_TSH=y_TSH)


class Training:
    """Phases trained on a panel one after the other, as the stage does, and their test RankIC."""

    def __init__(self, panel: Panel, models: Path) -> None:
        self._inputs, self._models = PanelOnDevice(panel, MODEL.backbone.window, CPU), models

    def phase(self, phase: Phase, epochs: int, *, control: bool = False) -> np.ndarray:
        """[T, H] RankIC after a phase; the control run, without the block that it adds, has a folder of its own."""
        if control:
            assert phase.previous is not None
            phase = replace(phase, blocks=PHASES[phase.previous].blocks)
        folder = self._models / (f"{phase.name}_control" if control else phase.name)
        panel, pace = self._inputs.panel, Pace(epochs, RATE, older=1.0)
        architecture = phase.architecture(panel.abi, len(panel.features), list(panel.horizons), MODEL)
        network, state = start(phase, architecture, RECIPE.seed, self._models, None)
        checkpoints = Checkpoints(folder, {})
        trained = train(
            network, self._inputs, phase, pace, RECIPE, "mean_rank_ic", state, checkpoints, self._models / "logs"
        )
        network.load_state_dict(trained.weights)
        save(network, folder)
        write_tensors(trained.state, folder / STATE)
        return self.reached(network)

    def reached(self, network: Network) -> np.ndarray:
        """[T, H] RankIC on test."""
        panel = self._inputs.panel
        first, last = panel.split["test"]
        scores_TSH, y_TSH = score(network, self._inputs, first, last), panel.y_TSH[first : last + 1]
        return np.stack([rank_ic(scores_TSH[..., h], y_TSH[..., h]) for h in range(len(panel.horizons))], axis=1)

    def untrained(self) -> np.ndarray:
        """[T, H] RankIC of the initial weights."""
        panel = self._inputs.panel
        shape = PHASES["baseline"].architecture(panel.abi, len(panel.features), list(panel.horizons), MODEL)
        return self.reached(Network(shape, RECIPE.seed))

    def closed(self, phase: str, gate: str) -> np.ndarray:
        """[T, H] RankIC of a phase's weights, with a gate closed."""
        network = load(self._models / phase)
        with torch.no_grad():
            network.get_parameter(gate).zero_()
        return self.reached(network)


def least_gain(ours_TH: np.ndarray, theirs_TH: np.ndarray) -> float:
    """Lower bound of the interval of the difference of the mean RankICs: above 0 if there is a gain."""
    low = mean_over_horizons(ours_TH - theirs_TH, (1, 5))["low"]
    assert low is not None
    return float(low)


def test_the_baseline_sees_the_slow_effect(market: Callable[..., Panel], tmp_path: Path) -> None:
    panel = market("slow", 0.2)
    training = Training(panel, tmp_path / "real")
    assert least_gain(training.phase(PHASES["baseline"], 2), training.untrained()) > 0.05
    training = Training(shuffled(panel), tmp_path / "shuffled")
    assert least_gain(training.phase(PHASES["baseline"], 2), training.untrained()) <= 0


def test_the_adaptive_norm_sees_the_cycle(market: Callable[..., Panel], tmp_path: Path) -> None:
    panel = market("frequency", 0.3)
    training = Training(panel, tmp_path / "real")
    before = training.phase(PHASES["baseline"], 4)
    after = training.phase(PHASES["adaptive_norm"], 4)
    control = training.phase(PHASES["adaptive_norm"], 4, control=True)
    assert least_gain(after, before) > 0
    assert least_gain(after, control) > 0
    training = Training(shuffled(panel), tmp_path / "shuffled")
    before = training.phase(PHASES["baseline"], 4)
    assert least_gain(training.phase(PHASES["adaptive_norm"], 4), before) <= 0


def test_the_graph_hears_the_neighbours(market: Callable[..., Panel], tmp_path: Path) -> None:
    panel = market("neighbours", 0.3)
    training = Training(panel, tmp_path / "real")
    training.phase(PHASES["baseline"], 1)
    before = training.phase(PHASES["adaptive_norm"], 1)
    after = training.phase(PHASES["gat"], 5)
    control = training.phase(PHASES["gat"], 5, control=True)
    assert least_gain(after, before) > 0
    assert least_gain(after, control) > 0
    assert least_gain(control, before) <= 0
    # The gain comes from the neighbours: with that gate closed it disappears.
    assert least_gain(training.closed("gat", "graph.gate_H"), before) <= 0
    training = Training(shuffled(panel), tmp_path / "shuffled")
    training.phase(PHASES["baseline"], 1)
    before = training.phase(PHASES["adaptive_norm"], 1)
    assert least_gain(training.phase(PHASES["gat"], 5), before) <= 0
