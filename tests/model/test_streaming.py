"""Scores that are streamed, as on a GPU: those of each block by itself up to rounding, the same bits for any range."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from gogooku3.model import streaming
from gogooku3.model.ensemble import Ensemble, Model
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.network import Network
from gogooku3.model.scoring import score
from gogooku3.panel.panel import Panel

CPU = torch.device("cpu")
RANGES = [(17, 17), (15, 33), (59, 59)]


@pytest.fixture(params=["network", "ensemble"])
def model(request: pytest.FixtureRequest, network: Callable[..., Network]) -> Model:
    made = network("finetune", opened=True)
    return made if request.param == "network" else Ensemble([made, network("finetune")], torch.rand(2, 2) + 0.5)


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Streams on this CPU, in groups of a number of stocks."""

    def start(group: int) -> None:
        monkeypatch.setattr(streaming, "_ELEMENTS", group * 16 * 8 * 4 * 8)
        monkeypatch.setattr(streaming.Scorer, "__init__", _streamed)

    return start


def _streamed(scorer: streaming.Scorer, model: Model, _: torch.device) -> None:
    scorer._model = model
    scorer._streams = [streaming.Stream(each) for each in ([model] if isinstance(model, Network) else model.networks)]


@pytest.mark.parametrize(
    "group", [pytest.param(1, marks=pytest.mark.slow), 5, pytest.param(100, marks=pytest.mark.slow)]
)
def test_streamed_scores_are_those_of_each_block_by_itself_and_the_same_for_any_range(
    group: int, model: Model, panel: Panel, streams: Callable[[int], None]
) -> None:
    inputs = PanelOnDevice(panel, 8, CPU)
    expected = score(model, inputs, 0, 59)
    streams(group)
    found = score(model, inputs, 0, 59)
    # In the window of the first session only the last embedding differs from the others: all its Fourier components are
    # equally strong, and rounding chooses the dominant ones.
    np.testing.assert_allclose(found[1:], expected[1:], rtol=1e-4, atol=1e-5)
    for first, last in RANGES:
        np.testing.assert_array_equal(score(model, inputs, first, last), found[first : last + 1])


def test_each_session_is_embedded_once_in_groups(
    network: Callable[..., Network],
    panel: Panel,
    streams: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first block also embeds the whole block before it: its windows reach 7 sessions into it."""
    rows: list[torch.Size] = []
    embed = Network.embed
    monkeypatch.setattr(Network, "embed", lambda self, x_ZSF: (rows.append(x_ZSF.shape), embed(self, x_ZSF))[1])
    inputs, made = PanelOnDevice(panel, 8, CPU), network("finetune")
    score(made, inputs, 0, 59)
    assert sum(shape[0] for shape in rows) == 4 * (16 + 7)
    rows.clear()
    streams(5)
    score(made, inputs, 0, 59)
    assert {tuple(shape[:2]) for shape in rows} == {(16, 5), (16, 2)}
    assert sum(shape[0] * shape[1] for shape in rows) == (1 + 4) * 16 * 12


def test_a_cpu_does_not_stream(network: Callable[..., Network]) -> None:
    assert streaming.Scorer(network("finetune"), CPU)._streams == []
    assert len(streaming.Scorer(network("finetune"), torch.device("cuda"))._streams) == 1
