"""Multilayer perceptron on target ranks (ReLU, AdamW), in NumPy.

Not scikit-learn's `MLPRegressor`: its optimiser takes powers from the C library, and its initial weights follow from a
generator that takes logarithms from it, so its bytes would differ between machines. Here everything but the matrix
products is elementwise, and those run on one thread with the kernels that `gogooku3.runtime.numerics` pins.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from threadpoolctl import threadpool_limits

from gogooku3.baselines.ridge import fill_missing
from gogooku3.baselines.rows import Matrix, Rows
from gogooku3.config.baselines import Perceptron as Params
from gogooku3.runtime.numerics import generator

_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8
"""AdamW's usual constants (Kingma and Ba, 2015; Loshchilov and Hutter, 2019)."""


def fit(train: Rows, validation: Rows, params: Params, seed: int) -> Callable[[Matrix], Matrix]:
    """Fits all horizons at once; keeps the weights of the epoch with the best mean RankIC on validation.

    Args:
        seed: of the initial weights and the order of rows.

    Returns:
        A function from a feature matrix [N, F] to scores [N, H].
    """
    with threadpool_limits(1):
        return _fit(fill_missing(train.x_NF), train.y_NH, validation, params, seed)


def _fit(x_NF: Matrix, y_NH: Matrix, validation: Rows, params: Params, seed: int) -> Callable[[Matrix], Matrix]:
    random = generator("mlp", seed)
    known_NH = np.isfinite(y_NH)
    y_NH = np.where(known_NH, y_NH, np.float32(0))
    weights = _initial([x_NF.shape[1], *params.hidden, y_NH.shape[1]], random)
    optimizer = _AdamW(weights, params)
    x_VF = fill_missing(validation.x_NF)
    best, best_rank_ic, waited = weights, -math.inf, 0
    for _ in range(params.epochs):
        order = random.permutation(len(x_NF))
        for start in range(0, len(order), params.batch_rows):
            rows = order[start : start + params.batch_rows]
            weights = optimizer.step(weights, _gradients(weights, x_NF[rows], y_NH[rows], known_NH[rows]))
        scores_VH = _forward(weights, x_VF)[-1]
        horizons = range(y_NH.shape[1])
        rank_ic = sum(validation.rank_ic(scores_VH[:, h], h) for h in horizons) / len(horizons)
        waited += 1
        if rank_ic > best_rank_ic:
            best, best_rank_ic, waited = weights, rank_ic, 0
        if waited == params.patience:
            break

    def score(x_SF: Matrix) -> Matrix:
        with threadpool_limits(1):
            return _forward(best, fill_missing(x_SF))[-1]

    return score


def _initial(sizes: list[int], random: np.random.Generator) -> list[Matrix]:
    """Weight matrix and bias of each layer: uniform with the variance 2 / inputs of He et al. (2015), and zeros.

    The last matrix is zero too: the first scores would otherwise be noise many times larger than what can be known.
    """
    weights: list[Matrix] = []
    for inputs, outputs in pairwise(sizes):
        bound = math.sqrt(6 / inputs)
        weights.append(((2 * random.random((inputs, outputs)) - 1) * bound).astype(np.float32))
        weights.append(np.zeros(outputs, np.float32))
    weights[-2] = np.zeros_like(weights[-2])
    return weights


def _forward(weights: list[Matrix], x_NF: Matrix) -> list[Matrix]:
    """Input and output of each layer."""
    layers = [x_NF]
    for matrix, bias in zip(weights[::2], weights[1::2], strict=True):
        out = layers[-1] @ matrix + bias
        layers.append(out if len(layers) == len(weights) // 2 else np.maximum(out, np.float32(0)))
    return layers


def _gradients(weights: list[Matrix], x_NF: Matrix, y_NH: Matrix, known_NH: np.ndarray) -> list[Matrix]:
    """Gradients of the mean squared error over the known targets."""
    layers = _forward(weights, x_NF)
    count = np.float32(max(1, known_NH.sum()))
    delta = np.where(known_NH, layers[-1] - y_NH, np.float32(0)) * (np.float32(2) / count)
    gradients: list[Matrix] = []
    for index in reversed(range(len(weights) // 2)):
        gradients = [layers[index].T @ delta, delta.sum(axis=0), *gradients]
        delta = (delta @ weights[2 * index].T) * (layers[index] > 0)
    return gradients


class _AdamW:
    def __init__(self, weights: list[Matrix], params: Params) -> None:
        self._params = params
        self._mean, self._square = ([np.zeros_like(each) for each in weights] for _ in range(2))
        self._power_1 = self._power_2 = 1.0

    def step(self, weights: list[Matrix], gradients: list[Matrix]) -> list[Matrix]:
        """The weights after one step; biases do not decay."""
        self._power_1 *= _BETA_1
        self._power_2 *= _BETA_2
        rate, decay = self._params.learning_rate, self._params.weight_decay
        after = []
        for index, (weight, gradient) in enumerate(zip(weights, gradients, strict=True)):
            self._mean[index] = np.float32(_BETA_1) * self._mean[index] + np.float32(1 - _BETA_1) * gradient
            self._square[index] = np.float32(_BETA_2) * self._square[index] + np.float32(1 - _BETA_2) * (
                gradient * gradient
            )
            size = np.sqrt(self._square[index] / np.float32(1 - self._power_2)) + np.float32(_EPSILON)
            moved = np.float32(rate / (1 - self._power_1)) * self._mean[index] / size
            kept = weight * np.float32(1 - rate * decay) if weight.ndim == 2 else weight
            after.append(kept - moved)
        return after
