"""Perturbed panels for permutation importance: features or neighbours are permuted among the stocks of a session.

The permutation depends only on the seed, a name and the session's date, so a session that several blocks read is
permuted in the same way in all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch

from gogooku3.dataset.schema import Column
from gogooku3.model.inputs import Block, PanelOnDevice
from gogooku3.panel.panel import Panel
from gogooku3.runtime.numerics import generator

Perturbation = Callable[[Block, int], Block]
"""Maps a block of all stocks and the index of its first scored session to a perturbed copy."""


class PerturbedPanel(PanelOnDevice):
    """A panel on its device whose blocks are perturbed."""

    def __init__(self, inputs: PanelOnDevice, perturb: Perturbation) -> None:
        vars(self).update(vars(inputs))  # shares the tensors: a copy of the panel may exceed the device's memory
        self._perturb = perturb

    def block(self, first: int, sessions: int, stocks_S: np.ndarray, *, with_neighbours: bool) -> Block:
        """As `PanelOnDevice.block`, perturbed."""
        return self._perturb(super().block(first, sessions, stocks_S, with_neighbours=with_neighbours), first)


class PermutedFeatures:
    """Permutes the values of some features together among the stocks of each session.

    Features that are equal for all stocks of a session, such as the weekday, are permuted among the sessions instead.
    """

    def __init__(self, panel: Panel, columns: Sequence[Column], rows: range, window: int, seed: int, name: str) -> None:
        """
        Args:
            columns: the features to permute.
            rows: the sessions that are read, including the windows before the scored sessions.
            window: number of sessions of a window.
            seed, name: seed of the permutations.
        """
        self._panel, self._window = panel, window
        self._key = (seed, "attribution", name)
        of_sessions = {column.name for column in columns if column.scope == "session"}
        index_of = {feature: index for index, feature in enumerate(panel.features)}
        self._by_stock = np.array([index_of[c.name] for c in columns if c.name not in of_sessions], np.int64)
        self._by_session = np.array([index_of[c.name] for c in columns if c.name in of_sessions], np.int64)
        self._other_T = np.arange(len(panel.sessions))
        self._other_T[rows] = generator(*self._key).permutation(rows)

    def __call__(self, block: Block, first: int) -> Block:
        """The block with the features permuted."""
        device, x_ZSF = block.x_ZSF.device, block.x_ZSF.clone()
        rows_Z = np.arange(len(x_ZSF)) + first - self._window + 1
        if len(self._by_stock):
            columns = torch.from_numpy(self._by_stock).to(device)
            source_ZS1 = torch.from_numpy(self._sources(rows_Z)).to(device).unsqueeze(-1)
            x_ZSF[:, :, columns] = x_ZSF[:, :, columns].take_along_dim(source_ZS1, dim=1)
        if len(self._by_session):
            columns = torch.from_numpy(self._by_session).to(device)
            other_Z1C = torch.from_numpy(self._other_session_values(rows_Z)).to(device).unsqueeze(1)
            x_ZSF[:, :, columns] = torch.where(x_ZSF[:, :, columns].isnan(), torch.nan, other_Z1C)
        return replace(block, x_ZSF=x_ZSF)

    def _sources(self, rows_Z: np.ndarray) -> np.ndarray:
        """[Z, S] the stock from which each stock gets its values; a stock without a bar keeps its own."""
        panel = self._panel
        source_ZS = np.tile(np.arange(len(panel.codes)), (len(rows_Z), 1))
        for source_S, row in zip(source_ZS, rows_Z, strict=True):
            if 0 <= row < len(panel.sessions):
                _permute(source_S, panel.present_TS[row], (*self._key, str(panel.sessions[row])))
        return source_ZS

    def _other_session_values(self, rows_Z: np.ndarray) -> np.ndarray:
        """[Z, C] the permuted values of the session features, read from a stock with a bar."""
        other_Z = self._other_T[rows_Z.clip(0, len(self._other_T) - 1)]
        stock_Z = self._panel.present_TS[other_Z].argmax(axis=1)
        values_ZC: np.ndarray = self._panel.x_TSF[other_Z[:, None], stock_Z[:, None], self._by_session]
        return values_ZC


class PermutedNeighbours:
    """Permutes neighbour lists, with their edges, among the stocks that have neighbours, session by session."""

    def __init__(self, panel: Panel, seed: int) -> None:
        self._panel, self._seed = panel, seed

    def __call__(self, block: Block, first: int) -> Block:
        """The block with the neighbours permuted."""
        known_DS = (block.neighbours_DSK >= 0).any(-1).cpu().numpy()
        source_DS = np.tile(np.arange(known_DS.shape[1]), (len(known_DS), 1))
        for row, session in enumerate(self._panel.sessions[first : first + len(known_DS)]):
            _permute(source_DS[row], known_DS[row], (self._seed, "attribution", "neighbours", str(session)))
        source_DS11 = torch.from_numpy(source_DS).to(block.neighbours_DSK.device)[..., None, None]
        return replace(
            block,
            neighbours_DSK=block.neighbours_DSK.take_along_dim(source_DS11[..., 0], dim=1),
            edges_DSKE=block.edges_DSKE.take_along_dim(source_DS11, dim=1),
        )


def without_neighbours(block: Block, _first: int) -> Block:
    """Removes all neighbours."""
    return replace(block, neighbours_DSK=torch.full_like(block.neighbours_DSK, -1))


def _permute(source_S: np.ndarray, mask_S: np.ndarray, key: tuple[str | int, ...]) -> None:
    """Permutes the masked entries in place."""
    source_S[mask_S] = generator(*key).permutation(source_S[mask_S])
