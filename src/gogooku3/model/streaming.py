"""Scores consecutive blocks on a GPU: each session is embedded once, and the windows are computed in groups of stocks.

Two blocks share the sessions of their windows, so a network that scores each block by itself embeds a session up to
1 + L / D times. The memory of a group is bounded; what grows with the number of stocks is the block itself and a vector
of size H for each stock and session.

Each session is embedded among the D of its block, and each window in the same group of stocks, whatever sessions are
requested: bitwise the same scores for any range. They differ by rounding from those of a block by itself, because
matrix products of another size round differently. A CPU therefore does not stream: its scores keep their bits.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from gogooku3.model.ensemble import Model, combine
from gogooku3.model.inputs import Block
from gogooku3.model.network import Network

_ELEMENTS = 1 << 28
"""Numbers in the largest tensor of a group, the gate inputs of the LSTM [N, L, 4 H]: 1 GiB."""


class Stream:
    """One network in evaluation mode over blocks of D sessions."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._next = -1
        """First session of the block that follows the last one."""
        self._z_ZSH: Tensor | None = None
        """Embedding of the last block's sessions and of those before them that its windows reach, in whole blocks."""

    def scores(self, start: int, block: Block) -> Tensor:
        """Scores of a block of all stocks whose first scored session is `start`, as `Network.forward` returns them."""
        sessions = len(block.y_DSP)
        window, size = self._network.architecture.backbone.window, self._network.architecture.backbone.hidden_size
        group = max(1, _ELEMENTS // (sessions * window * 4 * size))
        with self._network.mixed(block.x_ZSF.device):
            z_ZSH = self._embedded(start, block.x_ZSF, sessions, group)[-(sessions + window - 1) :]
            groups = [self._network.summarise(z_ZgH)[0] for z_ZgH in z_ZSH.split(group, dim=1)]
            parts = (torch.cat(groups, dim=1).split(1), block.neighbours_DSK.split(1), block.edges_DSKE.split(1))
            return torch.cat([self._network.finish(*session)[0] for session in zip(*parts, strict=True)])

    def _embedded(self, start: int, x_ZSF: Tensor, sessions: int, group: int) -> Tensor:
        """Embedding of the block's sessions and of those before them, which are known after the block before."""
        follows = self._z_ZSH is not None and self._next == start
        known = [self._z_ZSH[sessions:]] if follows and self._z_ZSH is not None else []
        unknown_ZSF = (
            x_ZSF[-sessions:] if follows else pad(x_ZSF, (0, 0, 0, 0, -len(x_ZSF) % sessions, 0), value=torch.nan)
        )
        parts = [
            torch.cat([self._network.embed(x_DgF)[0] for x_DgF in x_DSF.split(group, dim=1)], dim=1)
            for x_DSF in unknown_ZSF.split(sessions)
        ]
        self._z_ZSH, self._next = torch.cat([*known, *parts]), start + sessions
        return self._z_ZSH


class Scorer:
    """Scores of a model over blocks of all stocks, in ascending order: streamed on a GPU."""

    def __init__(self, model: Model, device: torch.device) -> None:
        self._model = model
        networks = [model] if isinstance(model, Network) else model.networks
        self._streams = [Stream(network) for network in networks] if device.type == "cuda" else []

    def scores(self, start: int, block: Block) -> Tensor:
        """Scores of a block whose first scored session is `start`. Shape: [D, S, P]."""
        if not self._streams:
            scores_DSP: Tensor = self._model(block.x_ZSF, block.neighbours_DSK, block.edges_DSKE)
            return scores_DSP
        scores = [stream.scores(start, block) for stream in self._streams]
        return scores[0] if isinstance(self._model, Network) else combine(scores, self._model.scales_MP)
