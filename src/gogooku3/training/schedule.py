"""Learning rate schedule of a phase: linear warm-up, then constant or a half cosine down to a last value.

Source of the cosine: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017; without
restarts.
"""

from __future__ import annotations

import math

from gogooku3.config.train import Schedule


def rate_factor(schedule: Schedule, step: int, steps: int) -> float:
    """The learning rate of a step as a share of the phase's `learning_rate`.

    Args:
        step: number of the step in the phase, from 0.
        steps: number of steps of all epochs of the phase.
    """
    warmup = math.ceil(schedule.warmup * steps)
    if step < warmup:
        return (step + 1) / warmup
    if schedule.decay == "constant":
        return 1.0
    progress = (step - warmup) / max(steps - warmup - 1, 1)
    return schedule.last + (1 - schedule.last) * 0.5 * (1 + _cosine_of_half_turns(progress))


def _cosine_of_half_turns(x: float) -> float:
    """cos(π·x) for x from 0 to 1, from basic operations: the C library's `cos` differs between its releases."""
    if x > 0.5:
        return -_cosine_of_half_turns(1 - x)
    square = (math.pi * x) ** 2
    term, total = 1.0, 1.0
    for n in range(1, 14):  # the next term is below 1e-21
        term *= -square / ((2 * n - 1) * (2 * n))
        total += term
    return total
