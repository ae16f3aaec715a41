"""One phase of training: epochs of steps, validation after each, the best epoch kept.

A phase that was stopped goes on from the state that was saved last, and ends with the same bytes as one that was not:
the order of batches and the dropout follow from seed, phase, epoch and step alone.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gogooku3.config.train import Phase, Recipe
from gogooku3.errors import DivergenceError, InterruptionError
from gogooku3.metrics.ranking import rank_ic
from gogooku3.model.inputs import Block, PanelOnDevice
from gogooku3.model.network import Network
from gogooku3.model.prefetch import BlockSpec, Prefetcher
from gogooku3.model.scoring import score
from gogooku3.training import fingerprint
from gogooku3.training.batches import Batch, plan
from gogooku3.training.checkpoints import Checkpoints
from gogooku3.training.distributed import SINGLE_PROCESS, Group
from gogooku3.training.gradients import Gradients
from gogooku3.training.losses import noise_warning
from gogooku3.training.optimizer import adamw, restore
from gogooku3.training.progress import Progress, log_to, show
from gogooku3.training.run import Run, Trained
from gogooku3.training.stop_signal import StopSignal, signal_name

log = logging.getLogger(__name__)


def train(
    network: Network,
    inputs: PanelOnDevice,
    name: str,
    phase: Phase,
    recipe: Recipe,
    state: dict[str, Tensor],
    checkpoints: Checkpoints,
    logs: Path,
    group: Group = SINGLE_PROCESS,
) -> Trained:
    """Trains the network for one phase and keeps the epoch with the highest validation RankIC.

    A phase of no epochs hands on what it was given.

    Args:
        network: as `start` made it.
        state: the moments of its optimizer, as far as there are any.
        checkpoints: where its states are kept while it trains, and from which it goes on.
        logs: folder of what can be watched meanwhile: `<phase>.log`, and the curve so far as `<phase>.csv`.
        group: who trains. Each process is called with the same; the first one writes.

    Raises:
        DivergenceError: a loss, a gradient or a score of validation is not finite.
        InterruptionError: the process was asked to end.
    """
    optimizer = adamw(network, phase.learning_rate, recipe.weight_decay)
    restore(optimizer, network, state)
    run = Run(name, network, optimizer)
    gradients = Gradients(network, inputs.panel, name, recipe, group)
    plans = [plan(inputs.panel, recipe, name, epoch) for epoch in range(phase.epochs)]
    with log_to(logs / f"{name}.log") if group.is_main else nullcontext():
        log.info("phase %s: %d epochs", name, phase.epochs)
        with group.main_first():
            saved = checkpoints.newest()
        if saved is not None:
            run.load_state(saved)
        if plans and (warning := noise_warning(recipe)):
            log.warning("%s", warning)
        with Progress(name, plans, run.epoch, run.step) as progress, StopSignal() as interruption:
            while run.epoch < phase.epochs and not run.history.exhausted(recipe.patience):
                network.train()
                steps, left = len(plans[run.epoch]), plans[run.epoch][run.step :]
                with Prefetcher(inputs, _block_specs(left, network, group)) as blocks:
                    for batch in left:
                        own = [next(blocks) for _ in group.local_shards]
                        _step(run, gradients, batch, own, inputs, recipe, checkpoints)
                        if fingerprint.due(run.step, steps):
                            run.fingerprint(batch.fingerprint(inputs.panel))
                        progress.step(run.epoch, run.step, batch.samples, run.history.step_losses[-1])
                        if checkpoints.due():
                            _save_state(run, checkpoints)
                        _stop_if_requested(interruption, run, checkpoints, group)
                by_horizon = validate(network, inputs, "validation", group)
                rank_ic_of_all = _weighted_mean(by_horizon, recipe.loss.horizons)
                if math.isnan(rank_ic_of_all):
                    raise _divergence(run, "a score of validation is not finite", "", checkpoints)
                run.end_epoch(by_horizon, rank_ic_of_all)
                progress.validated(run.history.epochs[-1])
                if group.is_main:
                    show(run.history, logs / f"{name}.csv")
                _save_state(run, checkpoints)
                _stop_if_requested(interruption, run, checkpoints, group)
        best = run.history.best
        log.info("%d of %d epochs; the best: %s", run.epoch, phase.epochs, "none" if best is None else best.epoch)
    return run.best


def validate(network: Network, inputs: PanelOnDevice, split: str, group: Group = SINGLE_PROCESS) -> dict[str, float]:
    """Mean RankIC of each horizon over a split's sessions; each process takes a part.

    0 where no session has one, NaN where a score is not finite.
    """
    panel = inputs.panel
    first, last = panel.split[split]
    length = -(-(last + 1 - first) // group.size)
    begin = min(first + group.rank * length, last + 1)
    end = min(begin + length, last + 1)
    ic_TP = np.full((length, len(panel.horizons)), np.nan)
    if begin < end:
        scores_TSP = score(network, inputs, begin, end - 1)
        for p in range(len(panel.horizons)):
            ic_TP[: end - begin, p] = rank_ic(scores_TSP[:, :, p], panel.y_TSH[begin:end, :, p])
        if not np.isfinite(scores_TSP[panel.present_TS[begin:end]]).all():
            ic_TP[:] = np.inf  # which no correlation is
    means = {}
    for horizon, ic_T in zip(panel.horizons, group.all_gather(torch.from_numpy(ic_TP)).numpy().T, strict=True):
        finite_T = ic_T[np.isfinite(ic_T)]
        means[str(horizon)] = math.fsum(finite_T) / len(finite_T) if len(finite_T) else 0.0
        if np.isinf(ic_T).any():
            means[str(horizon)] = math.nan
    return means


def _block_specs(batches: Sequence[Batch], network: Network, group: Group) -> Iterator[BlockSpec]:
    """What a process's shares of some steps are made of."""
    with_neighbours = network.architecture.graph is not None
    for batch in batches:
        for stocks_S in batch.shares(group.shares)[group.local_shards.start : group.local_shards.stop]:
            yield BlockSpec(batch.first, batch.sessions, stocks_S, with_neighbours)


def _step(
    run: Run,
    gradients: Gradients,
    batch: Batch,
    blocks: Sequence[Block],
    inputs: PanelOnDevice,
    recipe: Recipe,
    checkpoints: Checkpoints,
) -> None:
    """One optimizer step; where loss or gradient is not finite, the weights stay as they are."""
    run.optimizer.zero_grad()
    value = gradients.of(batch, blocks, run.epoch, run.step)
    norm = torch.nn.utils.clip_grad_norm_(run.network.parameters(), recipe.gradient_clip)
    if not (math.isfinite(value.item()) and math.isfinite(norm.item())):
        _save_state(run, checkpoints)
        gradients.group.barrier()
        first, last = batch.span(inputs.panel)
        raise _divergence(
            run,
            f"loss {value.item()}, gradient norm {norm.item()} (batch {batch.fingerprint(inputs.panel)}:"
            f" sessions {first} to {last}, {len(batch.stocks_S)} stocks)",
            ", or look at those sessions",
            checkpoints,
        )
    run.optimizer.step()
    run.end_step(value.item(), norm.item())


def _weighted_mean(by_horizon: dict[str, float], weights: list[float]) -> float:
    return math.fsum(w * ic for w, ic in zip(weights, by_horizon.values(), strict=True)) / math.fsum(weights)


def _save_state(run: Run, checkpoints: Checkpoints) -> None:
    """Saves the state, unless the last step broke the weights: the older states are then those to go back to."""
    if run.finite:
        checkpoints.save(run.state())


def _stop_if_requested(interruption: StopSignal, run: Run, checkpoints: Checkpoints, group: Group) -> None:
    """Ends a phase that was asked to end, with its state saved: all processes at the same step."""
    number = group.all_max(interruption.number)
    if not number:
        return
    if checkpoints.last != run.place:
        _save_state(run, checkpoints)
    group.barrier()
    raise InterruptionError(
        f"phase {run.history.phase} was stopped by {signal_name(number)} in {run.place};"
        f" saved in `{checkpoints.folder}`: {checkpoints.last or 'nothing, for the disk refused'}",
        hint="`dvc repro` goes on from there, with `reduction: fixed` to the same bytes as if it had not been stopped",
    )


def _divergence(run: Run, what: str, or_else: str, checkpoints: Checkpoints) -> DivergenceError:
    name = run.history.phase
    return DivergenceError(
        f"phase {name} stopped in epoch {run.epoch}, step {run.step}: {what};"
        f" the last good state, {checkpoints.last or 'the start of the phase'}, is in `{checkpoints.folder}`",
        hint=f"lower `train.phases.{name}.learning_rate` or `train.recipe.gradient_clip`{or_else}",
    )
