"""How many floating-point operations a step of ours needs: those of its matrix products, and nothing else.

Only what the function needs is counted, not what is computed a second time to save memory: forward, the gradient of
the weights, and that of what goes in where one goes back.
"""

from __future__ import annotations

from steps.shape import HORIZONS, Shape


def product(shape: Shape) -> int:
    """Of the ceiling."""
    return 2 * shape.product**3


def selection(shape: Shape) -> int:
    """Of the selection block."""
    features, rows, size = shape.features, shape.rows, shape.hidden
    of_values = features * 6 * size + features * 6 * size + 2 * 2 * features * (size + features)
    behind = features * 2 * size * 2 * size + 2 * size * size + 2 * size * 2 * features
    return rows * (2 * of_values + 3 * behind) + 3 * features * 6 * size * size


def step(shape: Shape, phase: str = "baseline") -> int:
    """Of the forward and backward pass of a phase's network."""
    size, value, window = shape.hidden, shape.hidden // shape.heads, shape.window
    residual = 2 * size * 2 * size
    """A gated residual; its network has two more layers."""
    network = residual + 2 * 2 * size * size
    of_session = 2 * 4 * size * 2 * size + residual + 2 * size * (size + value)
    of_window = 2 * size * size + 2 * value * size + 2 * residual + 2 * network + 2 * size * len(HORIZONS)
    total = selection(shape) + 3 * shape.windows * (window * of_session + of_window)
    if phase != "baseline":
        fourier, foretold = 4 * size * window * window, 2 * size * window * (window + 1)
        total += shape.windows * (2 * fourier + 3 * foretold)
    if phase in ("gat", "finetune"):
        total += 3 * shape.windows * 3 * 2 * size * size
    return total
