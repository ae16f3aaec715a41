"""What the network is fed: blocks of consecutive sessions, taken from a panel that lies on the device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gogooku3.dataset.panel import Panel


@dataclass(frozen=True)
class Block:
    """Inputs and targets of D consecutive sessions and S stocks, of which the first `scored` count.

    The other stocks are there because they are neighbours of those that count.
    """

    x_ZSF: Tensor
    neighbours_DSK: Tensor
    edges_DSKE: Tensor
    y_DSP: Tensor
    """Forward returns; NaN where missing, and for the stocks that do not count."""


class PanelOnDevice:
    """A panel's arrays as tensors, from which blocks are cut."""

    def __init__(self, panel: Panel, window: int, device: torch.device) -> None:
        self.panel = panel
        self.window = window
        self.device = device
        self._x_TSF = torch.from_numpy(panel.x_TSF).to(device)
        self._y_TSP = torch.from_numpy(panel.y_TSH).to(device)

    def block(self, first: int, sessions: int, stocks_S: np.ndarray, *, with_neighbours: bool) -> Block:
        """The block of `sessions` sessions from index `first` for the given stock indices.

        Sessions before the panel's start or behind its end are missing throughout. With `with_neighbours`, the
        stocks' neighbours in those sessions join them as inputs, without targets.
        """
        rows_D = np.arange(first, first + sessions)
        table_DSK, edges_DSKE = self._graph(rows_D, stocks_S)
        members_S = stocks_S
        if with_neighbours:
            strangers = np.setdiff1d(table_DSK[table_DSK >= 0], stocks_S)
            if len(strangers):
                members_S = np.concatenate([stocks_S, strangers])
                table_DSK, edges_DSKE = self._graph(rows_D, members_S)
        place_S = np.full(len(self.panel.codes) + 1, -1, dtype=np.int64)
        place_S[members_S] = np.arange(len(members_S))
        y_DSP = self._rows(self._y_TSP, rows_D, members_S)
        y_DSP[:, len(stocks_S) :] = torch.nan
        return Block(
            x_ZSF=self._rows(self._x_TSF, np.arange(first - self.window + 1, first + sessions), members_S),
            neighbours_DSK=torch.from_numpy(place_S[table_DSK]).to(self.device),
            edges_DSKE=torch.from_numpy(edges_DSKE).to(self.device),
            y_DSP=y_DSP,
        )

    def _graph(self, rows_D: np.ndarray, stocks_S: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The last graph at or before each session, for some stocks; no neighbours (−1) where there is none yet."""
        panel = self.panel
        graph_D = panel.graph_of_T[rows_D.clip(0, len(panel.sessions) - 1)]
        table_DSK = panel.neighbours_GSK[graph_D][:, stocks_S].astype(np.int64)
        table_DSK[graph_D < 0] = -1
        return table_DSK, panel.edges_GSKE[graph_D][:, stocks_S]

    def _rows(self, source_TSX: Tensor, rows: np.ndarray, stocks_S: np.ndarray) -> Tensor:
        """Some sessions of some stocks; NaN for sessions that the panel does not have."""
        inside = (rows >= 0) & (rows < len(source_TSX))
        index = torch.from_numpy(rows.clip(0, len(source_TSX) - 1)).to(self.device)
        taken = source_TSX[index][:, torch.from_numpy(stocks_S).to(self.device)]
        taken[torch.from_numpy(~inside).to(self.device)] = torch.nan
        return taken
