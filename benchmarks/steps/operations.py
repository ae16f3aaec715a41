"""FLOPs of a training step of our network: those of its matrix products only.

Counts the forward pass, the gradients of the weights, and the gradients of the inputs if they are needed; recomputation
to save memory (activation checkpointing) is not counted.
"""

from __future__ import annotations

from steps.shape import HORIZONS, Shape


def product(shape: Shape) -> int:
    """FLOPs of the reference matrix product."""
    return 2 * shape.product**3


def selection(shape: Shape) -> int:
    """FLOPs of the variable selection block."""
    features, rows, size = shape.features, shape.rows, shape.hidden
    of_values = features * 6 * size + features * 6 * size + 2 * 2 * features * (size + features)
    weights = features * 2 * size * 2 * size + 2 * size * size + 2 * size * 2 * features
    return rows * (2 * of_values + 3 * weights) + 3 * features * 6 * size * size


def step(shape: Shape, phase: str = "baseline") -> int:
    """FLOPs of the forward and backward pass of a phase's network."""
    size, value, window = shape.hidden, shape.hidden // shape.heads, shape.window
    residual = 2 * size * 2 * size
    """A gated residual; a gated residual network has two more layers."""
    network = residual + 2 * 2 * size * size
    of_session = 2 * 4 * size * 2 * size + residual + 2 * size * (size + value)
    of_window = 2 * size * size + 2 * value * size + 2 * residual + 2 * network + 2 * size * len(HORIZONS)
    total = selection(shape) + 3 * shape.windows * (window * of_session + of_window)
    if phase != "baseline":
        fourier, predicted = 4 * size * window * window, 2 * size * window * (window + 1)
        total += shape.windows * (2 * fourier + 3 * predicted)
    if phase in ("gat", "finetune"):
        total += 3 * shape.windows * 3 * 2 * size * size
    return total
