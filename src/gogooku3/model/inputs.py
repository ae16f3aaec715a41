"""Data loading: input blocks of consecutive sessions, cut from a panel on the device or memory-mapped on disk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from gogooku3.panel.panel import Panel

_SHARE = 0.5
"""Fraction of a GPU's free memory that a panel may take; a larger panel stays on disk and is copied block by block."""


@dataclass(frozen=True)
class Block:
    """Inputs and targets of D consecutive sessions and S stocks.

    The requested stocks come first; any further stocks are their graph neighbours, which only serve as inputs.
    """

    x_ZSF: Tensor
    neighbours_DSK: Tensor
    edges_DSKE: Tensor
    y_DSP: Tensor
    """Forward returns; NaN where missing, and for the neighbours."""


class PanelOnDevice:
    """A panel's arrays as tensors, from which blocks are cut; blocks are the same whether the arrays are on the device
    or on disk."""

    def __init__(self, panel: Panel, window: int, device: torch.device) -> None:
        self.panel = panel
        self.window = window
        self.device = device
        self._x_TSF = _on_device_if_it_fits(panel.x_TSF, device)
        self._y_TSP = _on_device_if_it_fits(panel.y_TSH, device)

    def block(self, first: int, sessions: int, stocks_S: np.ndarray, *, with_neighbours: bool) -> Block:
        """The block of `sessions` sessions from index `first` for the given stock indices.

        Sessions before the start or after the end of the panel are all NaN. With `with_neighbours`, the stocks' graph
        neighbours in those sessions are appended as inputs, without targets.
        """
        rows_D = np.arange(first, first + sessions)
        table_DSK, edges_DSKE = self._graph(rows_D, stocks_S)
        members_S = stocks_S
        if with_neighbours:
            others = np.setdiff1d(table_DSK[table_DSK >= 0], stocks_S)
            if len(others):
                members_S = np.concatenate([stocks_S, others])
                table_DSK, edges_DSKE = self._graph(rows_D, members_S)
        index_S = np.full(len(self.panel.codes) + 1, -1, dtype=np.int64)
        index_S[members_S] = np.arange(len(members_S))
        y_DSP = self._rows(self._y_TSP, first, first + sessions, members_S)
        y_DSP[:, len(stocks_S) :] = torch.nan
        return Block(
            x_ZSF=self._rows(self._x_TSF, first - self.window + 1, first + sessions, members_S),
            neighbours_DSK=self._to_device(torch.from_numpy(index_S[table_DSK])),
            edges_DSKE=self._to_device(torch.from_numpy(edges_DSKE)),
            y_DSP=y_DSP,
        )

    def _graph(self, rows_D: np.ndarray, stocks_S: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The last graph at or before each session, for some stocks (point in time, no look-ahead); no neighbours (−1)
        before the first graph, or without any."""
        panel = self.panel
        if not len(panel.neighbours_GSK):
            shape = (len(rows_D), len(stocks_S), panel.neighbours_GSK.shape[-1])
            return np.full(shape, -1, np.int64), np.zeros((*shape, panel.edges_GSKE.shape[-1]), np.float32)
        graph_D = panel.graph_of_T[rows_D.clip(0, len(panel.sessions) - 1)]
        table_DSK = panel.neighbours_GSK[graph_D][:, stocks_S].astype(np.int64)
        table_DSK[graph_D < 0] = -1
        return table_DSK, panel.edges_GSKE[graph_D][:, stocks_S]

    def _rows(self, source_TSX: Tensor, start: int, stop: int, stocks_S: np.ndarray) -> Tensor:
        """Sessions start … stop − 1 of some stocks, on the device; NaN for sessions outside the panel."""
        index_S = torch.from_numpy(stocks_S).to(source_TSX.device)
        inside_TSX = self._to_device(source_TSX[max(start, 0) : stop].index_select(1, index_S))
        before, after = max(-start, 0), max(stop - len(source_TSX), 0)
        if before or after:
            return pad(inside_TSX, (0, 0, 0, 0, before, after), value=torch.nan)
        return inside_TSX

    def _to_device(self, values: Tensor) -> Tensor:
        """Copies to the device; to a GPU from pinned memory, without blocking this thread."""
        if self.device.type == values.device.type:
            return values
        return values.pin_memory().to(self.device, non_blocking=True)


def _on_device_if_it_fits(values: np.ndarray, device: torch.device) -> Tensor:
    """Copies an array to the device if its memory suffices; otherwise the tensor shares the array's memory."""
    tensor = torch.from_numpy(values)
    if device.type == "cuda" and tensor.nbytes > _SHARE * torch.cuda.mem_get_info(device)[0]:
        return tensor
    return tensor.to(device)
