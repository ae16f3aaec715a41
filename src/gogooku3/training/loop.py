"""Training loop of one phase: optimizer steps, validation after each epoch, early stopping, the best epoch kept.

An interrupted phase resumes from its newest checkpoint and ends bitwise identical to an uninterrupted one: batch order
and dropout are pure functions of seed, phase, epoch and step.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor

from gogooku3.config.train import Phase as Pace
from gogooku3.config.train import Recipe
from gogooku3.errors import DivergenceError, InterruptionError
from gogooku3.model.inputs import Block, PanelOnDevice
from gogooku3.model.network import Network
from gogooku3.model.prefetch import BlockSpec, Prefetcher
from gogooku3.objective import metric_title
from gogooku3.runtime.interruption import StopRequest, signal_name
from gogooku3.training import fingerprint
from gogooku3.training.batches import Batch, plan
from gogooku3.training.checkpoints import Checkpoints
from gogooku3.training.distributed import SINGLE_PROCESS, Group
from gogooku3.training.gradients import Gradients
from gogooku3.training.losses import noise_warning
from gogooku3.training.optimizer import adamw, restore, set_rate
from gogooku3.training.phases import Phase
from gogooku3.training.progress import Progress
from gogooku3.training.run import Run, Trained
from gogooku3.training.run_log import RunLog
from gogooku3.training.schedule import rate_factor
from gogooku3.training.validation import Validation, validate

_MOSTLY_CLIPPED = 0.9
"""Share of clipped steps above which a warning is logged."""

log = logging.getLogger(__name__)


def train(
    network: Network,
    inputs: PanelOnDevice,
    phase: Phase,
    pace: Pace,
    recipe: Recipe,
    metric: str,
    state: dict[str, Tensor],
    checkpoints: Checkpoints,
    logs: Path,
    group: Group = SINGLE_PROCESS,
) -> Trained:
    """Trains the network for one phase and returns the epoch with the highest metric on validation, or the start if no
    epoch is better.

    A phase with 0 epochs returns its initial weights and optimizer state.

    Args:
        network: the network from `start`.
        pace: epochs and learning rates of the phase.
        metric: the tier's objective, `tier.metric`.
        state: optimizer moments by name; parameters without moments start from zero.
        checkpoints: the checkpoints of the phase; training resumes from the newest one.
        logs: folder for the files of `RunLog`: log, timing and learning curve so far.
        group: the processes that train together. Each makes the same call; the main process (rank 0) writes.

    Raises:
        DivergenceError: a loss, a gradient norm or a validation score is not finite.
        InterruptionError: the process received SIGINT (Ctrl-C), SIGTERM or SIGHUP.
    """
    name = phase.name
    optimizer = adamw(network, pace, recipe, phase.adds if phase.previous else ())
    restore(optimizer, network, state)
    run = Run(name, metric, recipe.average, network, optimizer)
    gradients = Gradients(network, inputs.panel, name, recipe, group)
    plans = [_steps(plan(inputs.panel, recipe, name, epoch), recipe.accumulate) for epoch in range(pace.epochs)]
    total = sum(map(len, plans))
    read_every = _read_every(inputs.device)
    with RunLog(logs, name, checkpoints.run, writes=group.is_main) as run_log:
        log.info("phase %s: %d epochs", name, pace.epochs)
        with group.main_first():
            saved = checkpoints.newest()
        group.require_same({"newest checkpoint": "none" if saved is None else saved.position})
        if saved is not None:
            run.load_state(saved)
        if plans and (warning := noise_warning(recipe)):
            log.warning("%s", warning)
        if plans and run.history.start is None and not _is_random(phase, state):
            value = run.begin(_validated(run, inputs, recipe, checkpoints, group))
            log.info("start: validation %s %+.4f", metric_title(metric), value)
        with Progress(name, plans, run.epoch, run.step, visible=group.is_main) as progress, StopRequest() as stop:
            while run.epoch < pace.epochs and not run.history.stops_early(recipe):
                network.train()
                steps, remaining = plans[run.epoch], plans[run.epoch][run.step :]
                with Prefetcher(inputs, _block_specs(remaining, network, group)) as blocks:
                    for batches in remaining:
                        set_rate(optimizer, rate_factor(recipe.schedule, run.steps, total))
                        _step(run, gradients, batches, blocks, recipe)
                        # All processes read after the same steps; the last step of an epoch has a fingerprint.
                        stopped, saves = group.all_max(stop.number), group.all_max(int(checkpoints.due()))
                        hashed = fingerprint.due(run.step, len(steps))
                        if stopped or saves or hashed or run.unread >= read_every:
                            _read_steps(run, steps, inputs, checkpoints, group)
                        if hashed:
                            run.fingerprint(batches[-1].fingerprint(inputs.panel))
                        samples = sum(batch.samples for batch in batches)
                        progress.step(run.epoch, run.step, samples, run.history.step_losses[-1])
                        run_log.step(samples)
                        if saves:
                            _save_state(run, checkpoints)
                        _stop_if_requested(stopped, run, checkpoints, group)
                run.end_epoch(_validated(run, inputs, recipe, checkpoints, group))
                progress.validated(run.history.epochs[-1])
                run_log.validated(run.history)
                _save_state(run, checkpoints)
                _stop_if_requested(group.all_max(stop.number), run, checkpoints, group)
        _summarize(run, pace, recipe)
    return run.best


def _steps(batches: Sequence[Batch], accumulate: int) -> list[Sequence[Batch]]:
    """The batches of each optimizer step; the last step of an epoch may have fewer."""
    return [batches[first : first + accumulate] for first in range(0, len(batches), accumulate)]


def _read_every(device: torch.device) -> int:
    """Steps between two reads of their losses and gradient norms. A read waits for all work that a GPU has queued."""
    return 1 if device.type == "cpu" else 20


def _is_random(phase: Phase, state: dict[str, Tensor]) -> bool:
    """Whether the phase starts from random weights, without a previous phase or a base model: then the start is no
    candidate for the best epoch."""
    return phase.previous is None and not state


def _validated(run: Run, inputs: PanelOnDevice, recipe: Recipe, checkpoints: Checkpoints, group: Group) -> Validation:
    """Validates the weights, averaged if there is an average."""
    with run.averaged():
        validation = validate(run.network, inputs, "validation", recipe.loss.horizons, group)
    if not validation.finite:
        raise _divergence(run, "a validation score is not finite", "", checkpoints)
    return validation


def _summarize(run: Run, pace: Pace, recipe: Recipe) -> None:
    """Logs the best epoch, and warns of what makes the phase useless or its parameters mislead."""
    history = run.history
    best = "none" if history.best is None else str(history.best.epoch)
    log.info("%d of %d epochs; best epoch: %s", run.epoch, pace.epochs, best)
    if history.epochs and history.best is None:
        log.warning("phase %s adds nothing: no epoch is better than the start, whose weights it keeps", history.phase)
    if (clipped := history.clipped(recipe.gradient_clip)) > _MOSTLY_CLIPPED:
        log.warning(
            "%.0f %% of the steps were clipped: `train.recipe.gradient_clip` %g is below the usual gradient norm, which"
            " makes it a normalisation of the gradient",
            100 * clipped, recipe.gradient_clip,
        )  # fmt: skip
    if disagreement := history.disagreement():
        log.warning("%s", disagreement)


def _block_specs(steps: Sequence[Sequence[Batch]], network: Network, group: Group) -> Iterator[BlockSpec]:
    """The blocks of this process's shards, batch by batch."""
    with_neighbours = network.architecture.graph is not None
    for batch in chain.from_iterable(steps):
        for stocks_S in batch.shards(group.shares)[group.local_shards.start : group.local_shards.stop]:
            yield BlockSpec(batch.first, batch.sessions, stocks_S, with_neighbours)


def _step(
    run: Run,
    gradients: Gradients,
    batches: Sequence[Batch],
    blocks: Iterator[Block],
    recipe: Recipe,
) -> None:
    """One optimizer step, without waiting for the device."""
    run.optimizer.zero_grad()
    value = gradients.mean(batches, blocks, run.epoch, run.step * recipe.accumulate)
    norm = torch.nn.utils.clip_grad_norm_(run.network.parameters(), recipe.gradient_clip)
    run.update(value, norm)


def _read_steps(
    run: Run, steps: Sequence[Sequence[Batch]], inputs: PanelOnDevice, checkpoints: Checkpoints, group: Group
) -> None:
    """Reads losses and gradient norms of the last steps; if one is not finite, it saves the state before that step and
    raises."""
    not_finite = run.read()
    if not_finite is None:
        return
    _save_state(run, checkpoints)
    group.barrier()
    batch = steps[run.step][-1]
    first, last = batch.span(inputs.panel)
    loss, norm = not_finite
    raise _divergence(
        run,
        f"loss {loss}, gradient norm {norm} (batch {batch.fingerprint(inputs.panel)}:"
        f" sessions {first} to {last}, {len(batch.stocks_S)} stocks)",
        ", or check the data of those sessions",
        checkpoints,
    )


def _save_state(run: Run, checkpoints: Checkpoints) -> None:
    """Saves a checkpoint, unless the weights are not finite: the older checkpoints are then the ones to resume from."""
    if run.finite:
        checkpoints.save(run.state())


def _stop_if_requested(number: int, run: Run, checkpoints: Checkpoints, group: Group) -> None:
    """Saves a checkpoint and raises if any process received a stop signal; all processes stop at the same step.

    Args:
        number: the largest signal number of all processes; 0 for none.
    """
    if not number:
        return
    if checkpoints.last != run.position:
        _save_state(run, checkpoints)
    group.barrier()
    raise InterruptionError(
        f"phase {run.history.phase} was stopped by {signal_name(number)} in {run.position};"
        f" newest checkpoint in `{checkpoints.folder}`: {checkpoints.last or 'none, saving failed'}",
        hint="`dvc repro` resumes from it; with `reduction: fixed` the result has the same bytes as without the stop",
    )


def _divergence(run: Run, cause: str, more_hint: str, checkpoints: Checkpoints) -> DivergenceError:
    name = run.history.phase
    return DivergenceError(
        f"phase {name} diverged in epoch {run.epoch}, step {run.step}: {cause};"
        f" the last good checkpoint, {checkpoints.last or 'the start of the phase'}, is in `{checkpoints.folder}`",
        hint=f"lower `train.phases.{name}.learning_rate` or `train.recipe.gradient_clip`{more_hint}",
    )
