"""A panel of which something is altered before a network reads it: values or neighbours go to the wrong stocks.

What is drawn depends on a seed, a name and the session's date alone: a session that several blocks read is altered in
the same way in all of them.
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
"""Takes a block of all stocks and the index of its first scored session; leaves the block as it is."""


class PerturbedPanel(PanelOnDevice):
    """The blocks of a panel on its device, each altered."""

    def __init__(self, inputs: PanelOnDevice, alter: Perturbation) -> None:
        vars(self).update(vars(inputs))  # the same tensors: a panel may be larger than what is left of the device
        self._alter = alter

    def block(self, first: int, sessions: int, stocks_S: np.ndarray, *, with_neighbours: bool) -> Block:
        """As `PanelOnDevice.block`, altered."""
        return self._alter(super().block(first, sessions, stocks_S, with_neighbours=with_neighbours), first)


class PermutedFeatures:
    """Features of which each session's values go together to other stocks, drawn anew for each session.

    What is the same for all stocks of a session, such as the weekday, goes to another one of the sessions instead.
    """

    def __init__(self, panel: Panel, columns: Sequence[Column], rows: range, window: int, seed: int, name: str) -> None:
        """
        Args:
            columns: the features, all of the panel's.
            rows: the sessions that are read for what is scored, windows included.
            window: sessions of a window.
            seed, name: what the draws depend on.
        """
        self._panel, self._window = panel, window
        self._key = (seed, "attribution", name)
        of_sessions = {column.name for column in columns if column.scope == "session"}
        place = {feature: index for index, feature in enumerate(panel.features)}
        self._by_stock = np.array([place[c.name] for c in columns if c.name not in of_sessions], np.int64)
        self._by_session = np.array([place[c.name] for c in columns if c.name in of_sessions], np.int64)
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
            other_Z1C = torch.from_numpy(self._levels(rows_Z)).to(device).unsqueeze(1)
            x_ZSF[:, :, columns] = torch.where(x_ZSF[:, :, columns].isnan(), torch.nan, other_Z1C)
        return replace(block, x_ZSF=x_ZSF)

    def _sources(self, rows_Z: np.ndarray) -> np.ndarray:
        """[Z, S] the stock that each one's values come from; a stock without a bar keeps what it has."""
        panel = self._panel
        source_ZS = np.tile(np.arange(len(panel.codes)), (len(rows_Z), 1))
        for source_S, row in zip(source_ZS, rows_Z, strict=True):
            if 0 <= row < len(panel.sessions):
                _permute(source_S, panel.present_TS[row], (*self._key, str(panel.sessions[row])))
        return source_ZS

    def _levels(self, rows_Z: np.ndarray) -> np.ndarray:
        """[Z, C] what the values of the sessions become, read from a stock that has a bar."""
        other_Z = self._other_T[rows_Z.clip(0, len(self._other_T) - 1)]
        stock_Z = self._panel.present_TS[other_Z].argmax(axis=1)
        levels_ZC: np.ndarray = self._panel.x_TSF[other_Z[:, None], stock_Z[:, None], self._by_session]
        return levels_ZC


class PermutedNeighbours:
    """Each stock has the neighbours, with their edges, of another stock that has some; drawn for each session."""

    def __init__(self, panel: Panel, seed: int) -> None:
        self._panel, self._seed = panel, seed

    def __call__(self, block: Block, first: int) -> Block:
        """The block with the neighbours permuted."""
        known_DS = (block.neighbours_DSK >= 0).any(-1).cpu().numpy()
        source_DS = np.tile(np.arange(known_DS.shape[1]), (len(known_DS), 1))
        for place, session in enumerate(self._panel.sessions[first : first + len(known_DS)]):
            _permute(source_DS[place], known_DS[place], (self._seed, "attribution", "neighbours", str(session)))
        source_DS11 = torch.from_numpy(source_DS).to(block.neighbours_DSK.device)[..., None, None]
        return replace(
            block,
            neighbours_DSK=block.neighbours_DSK.take_along_dim(source_DS11[..., 0], dim=1),
            edges_DSKE=block.edges_DSKE.take_along_dim(source_DS11, dim=1),
        )


def without_neighbours(block: Block, _first: int) -> Block:
    """Nobody has neighbours."""
    return replace(block, neighbours_DSK=torch.full_like(block.neighbours_DSK, -1))


def _permute(source_S: np.ndarray, taking_part_S: np.ndarray, key: tuple[str | int, ...]) -> None:
    """Permutes in place the entries of those that take part."""
    source_S[taking_part_S] = generator(*key).permutation(source_S[taking_part_S])
