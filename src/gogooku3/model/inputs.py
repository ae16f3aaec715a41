"""What the network is fed: blocks of consecutive sessions, taken from a panel that lies on the device or on disk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from gogooku3.panel.panel import Panel

_SHARE = 0.5
"""Of a GPU's free memory that a panel may take; a larger one stays on disk, and blocks are copied as they are cut."""


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
    """A panel's arrays as tensors, from which blocks are cut: the same ones wherever the arrays lie."""

    def __init__(self, panel: Panel, window: int, device: torch.device) -> None:
        self.panel = panel
        self.window = window
        self.device = device
        self._x_TSF = _on_device_if_it_fits(panel.x_TSF, device)
        self._y_TSP = _on_device_if_it_fits(panel.y_TSH, device)

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
        y_DSP = self._rows(self._y_TSP, first, first + sessions, members_S)
        y_DSP[:, len(stocks_S) :] = torch.nan
        return Block(
            x_ZSF=self._rows(self._x_TSF, first - self.window + 1, first + sessions, members_S),
            neighbours_DSK=self._moved(torch.from_numpy(place_S[table_DSK])),
            edges_DSKE=self._moved(torch.from_numpy(edges_DSKE)),
            y_DSP=y_DSP,
        )

    def _graph(self, rows_D: np.ndarray, stocks_S: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The last graph at or before each session, for some stocks; no neighbours (−1) where there is none yet."""
        panel = self.panel
        graph_D = panel.graph_of_T[rows_D.clip(0, len(panel.sessions) - 1)]
        table_DSK = panel.neighbours_GSK[graph_D][:, stocks_S].astype(np.int64)
        table_DSK[graph_D < 0] = -1
        return table_DSK, panel.edges_GSKE[graph_D][:, stocks_S]

    def _rows(self, source_TSX: Tensor, start: int, stop: int, stocks_S: np.ndarray) -> Tensor:
        """The sessions start … stop − 1 of some stocks on the device, NaN for sessions that the panel does not have."""
        index_S = torch.from_numpy(stocks_S).to(source_TSX.device)
        inside_TSX = self._moved(source_TSX[max(start, 0) : stop].index_select(1, index_S))
        before, after = max(-start, 0), max(stop - len(source_TSX), 0)
        if before or after:
            return pad(inside_TSX, (0, 0, 0, 0, before, after), value=torch.nan)
        return inside_TSX

    def _moved(self, values: Tensor) -> Tensor:
        """On the device; a GPU takes what is pinned without having this thread wait for it."""
        if self.device.type == values.device.type:
            return values
        return values.pin_memory().to(self.device, non_blocking=True)


def _on_device_if_it_fits(values: np.ndarray, device: torch.device) -> Tensor:
    """On the device if there is room for them, else where they are."""
    tensor = torch.from_numpy(values)
    if device.type == "cuda" and tensor.nbytes > _SHARE * torch.cuda.mem_get_info(device)[0]:
        return tensor
    return tensor.to(device)
