"""Loss and gradients of a batch, computed in shares by one process or several.

The Sharpe ratio couples all scores of a batch, so that the gradients of its parts do not add up to its own. A step
therefore has two halves. Each share, a part of the batch's stocks with their neighbours, is scored by itself; all
scores come together, and every process computes the loss of the whole batch and its gradient at each score. Then each
share's part of it goes back through the network, and the shares' gradients are added up. What is minimised does not
depend on the number of shares; a share draws its own dropout, and embeds its own neighbours.

With reduction `fixed` the gradients are added up one after the other in the order of the shares, whoever computed
them: a step has the same bits with any number of processes. With `fast` DistributedDataParallel adds them up, bucket by
bucket while the backward pass runs, in the order that its links are best at.

Letters of shapes: D sessions, S stocks, P horizons, n shares, k shares of this process, W stocks of the largest share,
G parameters of the network.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.nn.parallel import DistributedDataParallel

from gogooku3.config.train import Recipe
from gogooku3.model.inputs import Block
from gogooku3.model.network import Network
from gogooku3.panel.panel import Panel
from gogooku3.runtime.numerics import key
from gogooku3.training.batches import Batch
from gogooku3.training.distributed import Group
from gogooku3.training.losses import loss, require_targets


class Gradients:
    """Of a network, in a phase."""

    def __init__(self, network: Network, panel: Panel, phase: str, recipe: Recipe, group: Group) -> None:
        self._network, self._panel, self._phase = network, panel, phase
        self._recipe, self.group = recipe, group
        self._by_ddp = group.size > 1 and group.reduction == "fast"
        self._scores = _distributed(network) if self._by_ddp else network

    def of(self, batch: Batch, blocks: Iterable[Block], epoch: int, step: int) -> Tensor:
        """Leaves the gradients with the parameters, which must have none yet, and returns the loss.

        Args:
            blocks: of the shares of this process, in their order.

        Raises:
            DataError: the batch holds no session with two observed targets.
        """
        shares = batch.shares(self.group.shares)
        width, own = len(shares[0]), self.group.local_shards
        scores, known = [], []
        for share, block in zip(own, blocks, strict=True):
            # The first share's key is the step's own: with one share there is no other.
            torch.manual_seed(key(self._recipe.seed, "dropout", self._phase, epoch, step, *([share] if share else [])))
            found_DSP = self._scores(block.x_ZSF, block.neighbours_DSK, block.edges_DSKE)
            scores_DWP = _fitted(found_DSP, len(shares[share]), width, 0.0)
            targets_DWP = _fitted(block.y_DSP, len(shares[share]), width, torch.nan)
            scores.append(scores_DWP)
            known.append(torch.stack([scores_DWP.detach(), targets_DWP]))
        all_nDWP = self.group.all_gather(torch.stack(known)).unbind(1)
        scores_DSP, targets_DSP = (each_nDWP.movedim(0, 1).flatten(1, 2) for each_nDWP in all_nDWP)
        require_targets(targets_DSP, *batch.span(self._panel))
        value = loss(scores_DSP.requires_grad_(), targets_DSP, self._recipe.loss)
        value.backward()
        assert scores_DSP.grad is not None
        gradient_nDWP = scores_DSP.grad.unflatten(1, (-1, width)).movedim(1, 0)
        self._back(scores, gradient_nDWP[own.start : own.stop])
        return value.detach()

    def _back(self, scores: list[Tensor], gradient_kDWP: Tensor) -> None:
        """From the scores of this process's shares to the sum of all shares' gradients."""
        if self._by_ddp:
            # It divides what it adds up by the number of processes.
            torch.autograd.backward(scores, list(gradient_kDWP * self.group.size))
            return
        rows = []
        for scores_DWP, gradient_DWP in zip(scores, gradient_kDWP, strict=True):
            scores_DWP.backward(gradient_DWP)
            if self.group.size > 1:
                rows.append(self._taken())
        if rows:
            first_G, *others = self.group.all_gather(torch.stack(rows))
            for row_G in others:
                first_G += row_G
            self._give(first_G)

    def _taken(self) -> Tensor:
        """The gradients as one row, which the parameters have no longer."""
        parts = []
        for parameter in self._network.parameters():
            assert parameter.grad is not None
            parts.append(parameter.grad.flatten())
            parameter.grad = None
        return torch.cat(parts)

    def _give(self, row_G: Tensor) -> None:
        parameters = list(self._network.parameters())
        parts = row_G.split([parameter.numel() for parameter in parameters])
        for parameter, part in zip(parameters, parts, strict=True):
            parameter.grad = part.view_as(parameter)


def _distributed(network: Network) -> DistributedDataParallel:
    scores = DistributedDataParallel(network)
    # They are tables that never change, and writing them between two shares would spoil the first one's way back.
    scores.broadcast_buffers = False
    return scores


def _fitted(values_DSP: Tensor, stocks: int, width: int, fill: float) -> Tensor:
    """Of the stocks that count, filled up to a common width."""
    return pad(values_DSP[:, :stocks], (0, 0, 0, width - stocks), value=fill)
