"""Loss and gradients of a batch, computed shard by shard in one process or several (data-parallel training).

The Sharpe ratio couples all scores of a batch, so the gradients of the shards' own losses do not add up to the gradient
of the batch loss. A step therefore has two halves. First, each shard, a part of the batch's stocks with their
neighbours, is scored by itself; an all-gather collects the scores, and every process computes the loss of the whole
batch and its gradient with respect to each score. Second, each shard back-propagates its part of that gradient through
the network, and the shards' parameter gradients are summed. The loss does not depend on the number of shards; dropout
and the embedding of neighbours are drawn and computed per shard.

With reduction `fixed` the gradients are summed in the order of the shards, independent of which process computed them:
a step has the same bits for any world size. With `fast` DistributedDataParallel all-reduces them bucket by bucket
while the backward pass runs, in the order that suits the interconnect.

Letters of shapes: D sessions, S stocks, P horizons, n shards, k shards of this process, W stocks of the largest shard,
G parameters of the network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.nn.parallel import DistributedDataParallel

from gogooku3.config.train import Recipe
from gogooku3.model.inputs import Block
from gogooku3.model.network import Network
from gogooku3.panel.panel import Panel
from gogooku3.runtime.numerics import key, without_tf32
from gogooku3.training.batches import Batch
from gogooku3.training.distributed import Group
from gogooku3.training.losses import loss, require_targets


class Gradients:
    """Computes the gradients of a network for the batches of a phase."""

    def __init__(self, network: Network, panel: Panel, phase: str, recipe: Recipe, group: Group) -> None:
        self._network, self._panel, self._phase = network, panel, phase
        self._recipe, self.group = recipe, group
        self._by_ddp = group.size > 1 and group.reduction == "fast"
        self._forward = _wrap_ddp(network) if self._by_ddp else network

    def mean(self, batches: Sequence[Batch], blocks: Iterator[Block], epoch: int, first: int) -> Tensor:
        """Sets the `.grad` of each parameter, which must be None before the call, to the mean over some batches
        (gradient accumulation); returns the mean of their losses.

        Args:
            blocks: the blocks of this process's shards, batch by batch.
            first: number of the first batch in the epoch.
        """
        losses, rows = [], []
        for number, batch in enumerate(batches, first):
            losses.append(self.compute(batch, [next(blocks) for _ in self.group.local_shards], epoch, number))
            if len(batches) > 1:
                rows.append(self._take_gradients())
        if rows:
            total_G, *others = rows
            for row_G in others:
                total_G += row_G
            self._set_gradients(total_G / len(rows))
        return torch.stack(losses).mean()

    def compute(self, batch: Batch, blocks: Iterable[Block], epoch: int, step: int) -> Tensor:
        """Sets the `.grad` of each parameter, which must be None before the call, and returns the loss.

        Args:
            blocks: the blocks of this process's shards, in order.

        Raises:
            DataError: the batch has no session with two observed targets.
        """
        sessions = slice(batch.first, batch.first + batch.sessions)
        require_targets(self._panel.y_TSH[sessions][:, batch.stocks_S], *batch.span(self._panel))
        shards = batch.shards(self.group.shares)
        width, local_shards = len(shards[0]), self.group.local_shards
        scores, scores_and_targets = [], []
        for shard, block in zip(local_shards, blocks, strict=True):
            # The first shard uses the step's own seed, which does not depend on the number of shards.
            torch.manual_seed(key(self._recipe.seed, "dropout", self._phase, epoch, step, *([shard] if shard else [])))
            output_DSP = self._forward(block.x_ZSF, block.neighbours_DSK, block.edges_DSKE)
            scores_DWP = _pad_stocks(output_DSP, len(shards[shard]), width, 0.0)
            targets_DWP = _pad_stocks(block.y_DSP, len(shards[shard]), width, torch.nan)
            scores.append(scores_DWP)
            scores_and_targets.append(torch.stack([scores_DWP.detach(), targets_DWP]))
        all_nDWP = self.group.all_gather(torch.stack(scores_and_targets)).unbind(1)
        scores_DSP, targets_DSP = (each_nDWP.movedim(0, 1).flatten(1, 2) for each_nDWP in all_nDWP)
        with without_tf32():
            value = loss(scores_DSP.requires_grad_(), targets_DSP, self._recipe.loss, self._panel.horizons)
            value.backward()
        assert scores_DSP.grad is not None
        gradient_nDWP = scores_DSP.grad.unflatten(1, (-1, width)).movedim(1, 0)
        self._backward(scores, gradient_nDWP[local_shards.start : local_shards.stop])
        return value.detach()

    def _backward(self, scores: list[Tensor], gradient_kDWP: Tensor) -> None:
        """Back-propagates from the scores of this process's shards, and sums the gradients of all shards."""
        if self._by_ddp:
            # DDP averages over the processes; the factor turns the mean into the sum.
            torch.autograd.backward(scores, list(gradient_kDWP * self.group.size))
            return
        rows = []
        for scores_DWP, gradient_DWP in zip(scores, gradient_kDWP, strict=True):
            scores_DWP.backward(gradient_DWP)
            if self.group.size > 1:
                rows.append(self._take_gradients())
        if rows:
            first_G, *others = self.group.all_gather(torch.stack(rows))
            for row_G in others:
                first_G += row_G
            self._set_gradients(first_G)

    def _take_gradients(self) -> Tensor:
        """Returns all gradients as one flat row, and resets each parameter's `.grad` to None."""
        parts = []
        for parameter in self._trained():
            assert parameter.grad is not None
            parts.append(parameter.grad.flatten())
            parameter.grad = None
        return torch.cat(parts)

    def _set_gradients(self, row_G: Tensor) -> None:
        parameters = self._trained()
        parts = row_G.split([parameter.numel() for parameter in parameters])
        for parameter, part in zip(parameters, parts, strict=True):
            parameter.grad = part.view_as(parameter)

    def _trained(self) -> list[nn.Parameter]:
        """The parameters that are not frozen."""
        return [parameter for parameter in self._network.parameters() if parameter.requires_grad]


def _wrap_ddp(network: Network) -> DistributedDataParallel:
    wrapped = DistributedDataParallel(network)
    # The buffers are constant tables, and a broadcast between two shards would break the first shard's backward pass.
    wrapped.broadcast_buffers = False
    return wrapped


def _pad_stocks(values_DSP: Tensor, stocks: int, width: int, fill: float) -> Tensor:
    """Drops the stocks that are only neighbours, and pads the stock axis to a common width."""
    return pad(values_DSP[:, :stocks], (0, 0, 0, width - stocks), value=fill)
