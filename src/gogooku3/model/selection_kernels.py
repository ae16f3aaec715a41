"""Triton kernels of the fused variable selection; needs the package `triton`, which CUDA builds of torch bring.

Letters of shapes: F features, M rows, H hidden size, G = 2 H columns of the gate. A kernel pads H to a power of two and
cuts the rows into blocks; what exceeds F, M or H is loaded as 0 and not stored. `rows`, `columns` and `inner` index M,
the gate's columns (one half of G) and its rows.

Each program writes numbers of its own, and a sum over several programs is left to the caller: no atomics, one order.
Arithmetic is float32. Matrix products take operands in the precision of the gate's weights; for float32, `PRECISION`
is `ieee` or `tf32`. F and M are not specialised: one compiled kernel serves every number of rows, with the same bits.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _elu(x):
    """x where it is positive, exp(x) − 1 elsewhere; near 0 by a Taylor polynomial, because the difference cancels."""
    near = tl.maximum(x, -0.35)
    series = 1 + near / 6 * (1 + near / 7)
    series = 1 + near / 3 * (1 + near / 4 * (1 + near / 5 * series))
    series = near * (1 + near / 2 * series)
    return tl.where(x > 0, x, tl.where(x < -0.35, tl.exp(tl.minimum(x, 0.0)) - 1, series))


@triton.jit
def _inputs(x, rows, M):
    """Value or 0, observed and missing: three columns."""
    at, inside = x + rows * 3, rows < M
    value = tl.load(at, mask=inside, other=0.0)[:, None]
    observed = tl.load(at + 1, mask=inside, other=0.0)[:, None]
    missing = tl.load(at + 2, mask=inside, other=0.0)[:, None]
    return value, observed, missing


@triton.jit
def _row(matrix, number: tl.constexpr, columns, H):
    """One of the three rows of a [3, H] matrix."""
    return tl.load(matrix + number * H + columns, mask=columns < H, other=0.0).to(tl.float32)


@triton.jit
def _affine(value, observed, missing, matrix, columns, H):
    """Product of the three inputs and a [3, H] matrix."""
    product = value * _row(matrix, 0, columns, H)[None, :]
    product += observed * _row(matrix, 1, columns, H)[None, :]
    return product + missing * _row(matrix, 2, columns, H)[None, :]


@triton.jit
def _gate(gate, inner, columns, H):
    """Blocks of both halves of the gate's weights."""
    at = gate + inner[:, None] * (2 * H) + columns[None, :]
    inside = (inner[:, None] < H) & (columns[None, :] < H)
    return tl.load(at, mask=inside, other=0.0), tl.load(at + H, mask=inside, other=0.0)


@triton.jit
def _signal_and_share(
    value, observed, missing, hidden, gate, bias, columns, H,
    BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, HP: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """The gate's first half, and the sigmoid of its second."""
    signal = tl.zeros((BM, BN), tl.float32)
    opening = tl.zeros((BM, BN), tl.float32)
    for start in range(0, HP, BK):
        inner = start + tl.arange(0, BK)
        left, right = _gate(gate, inner, columns, H)
        activated = _elu(_affine(value, observed, missing, hidden, inner, H)).to(left.dtype)
        signal = tl.dot(activated, left, signal, input_precision=PRECISION)
        opening = tl.dot(activated, right, opening, input_precision=PRECISION)
    signal += tl.load(bias + columns, mask=columns < H, other=0.0).to(tl.float32)[None, :]
    opening += tl.load(bias + H + columns, mask=columns < H, other=0.0).to(tl.float32)[None, :]
    return signal, tl.sigmoid(opening)


@triton.jit
def _standardised(vector, columns, H, EPSILON: tl.constexpr):
    """Mean, vectors minus their mean, inverse of their standard deviation."""
    mean = tl.sum(vector, 1) / H
    centred = tl.where((columns < H)[None, :], vector - mean[:, None], 0.0)
    return mean, centred, tl.rsqrt(tl.sum(centred * centred, 1) / H + EPSILON)


@triton.jit(do_not_specialize=["F", "M"])
def forward(
    x, weight, hidden, embedding, gate, bias, selected, F, M, H,
    GROUP: tl.constexpr, BM: tl.constexpr, BK: tl.constexpr, HP: tl.constexpr,
    PRECISION: tl.constexpr, EPSILON: tl.constexpr,
):  # fmt: skip
    """Weighted sum over a group of features. Grid: blocks of rows, groups. Writes [groups, M, H]."""
    rows, columns = tl.program_id(0) * BM + tl.arange(0, BM), tl.arange(0, HP)
    group = tl.program_id(1).to(tl.int64)
    total = tl.zeros((BM, HP), tl.float32)
    for f in range(group * GROUP, tl.minimum((group + 1) * GROUP, F)):
        value, observed, missing = _inputs(x + f * M * 3, rows, M)
        signal, share = _signal_and_share(
            value, observed, missing, hidden + f * 3 * H, gate + f * 2 * H * H, bias + f * 2 * H, columns, H,
            BM, HP, BK, HP, PRECISION,
        )  # fmt: skip
        vector = signal * share + _affine(value, observed, missing, embedding + f * 3 * H, columns, H)
        _, centred, scale = _standardised(vector, columns, H, EPSILON)
        total += centred * (scale * tl.load(weight + f * M + rows, mask=rows < M, other=0.0))[:, None]
    at = selected + group * M * H + rows[:, None] * H + columns[None, :]
    tl.store(at, total, mask=(rows[:, None] < M) & (columns[None, :] < H))


@triton.jit
def _d_vector(d_centred, centred, along, scale, weight, H):
    """Gradient of the vectors: standardisation removes its components along the constant vector and along them."""
    return (d_centred - centred * (along * scale / H)[:, None]) * (weight * scale)[:, None]


@triton.jit
def _sums(sums, value, observed, missing, d, columns, H):
    """Stores the products of the three inputs and a gradient, summed over the rows."""
    tl.store(sums + columns, tl.sum(value * d, 0), mask=columns < H)
    tl.store(sums + H + columns, tl.sum(observed * d, 0), mask=columns < H)
    tl.store(sums + 2 * H + columns, tl.sum(missing * d, 0), mask=columns < H)


@triton.jit(do_not_specialize=["F", "M"])
def backward_rows(
    d_centred, x, weight, hidden, embedding, gate, bias, d_weight, statistics, sums, d_input, F, M, H,
    INPUT: tl.constexpr, BM: tl.constexpr, BK: tl.constexpr, HP: tl.constexpr,
    PRECISION: tl.constexpr, EPSILON: tl.constexpr,
):  # fmt: skip
    """All gradients but that of the gate's weights. Grid: blocks of rows, features.

    Writes the gradient of the selection weights [F, M], mean and scale of the vectors [2, F, M], the sums over a block
    of rows for hidden, embedding and bias [F, blocks, 3 + 3 + 2, H], and with INPUT the gradient of the inputs.
    """
    rows, columns, f = tl.program_id(0) * BM + tl.arange(0, BM), tl.arange(0, HP), tl.program_id(1).to(tl.int64)
    hidden += f * 3 * H
    embedding += f * 3 * H
    gate += f * 2 * H * H
    value, observed, missing = _inputs(x + f * M * 3, rows, M)
    signal, share = _signal_and_share(
        value, observed, missing, hidden, gate, bias + f * 2 * H, columns, H, BM, HP, BK, HP, PRECISION
    )
    vector = signal * share + _affine(value, observed, missing, embedding, columns, H)
    mean, centred, scale = _standardised(vector, columns, H, EPSILON)
    inside = (rows[:, None] < M) & (columns[None, :] < H)
    upstream = tl.load(d_centred + rows[:, None] * H + columns[None, :], mask=inside, other=0.0)
    along = tl.sum(centred * upstream, 1) * scale
    at = f * M + rows
    tl.store(d_weight + at, along, mask=rows < M)
    tl.store(statistics + at, mean, mask=rows < M)
    tl.store(statistics + tl.cast(F, tl.int64) * M + at, scale, mask=rows < M)
    d_vector = _d_vector(upstream, centred, along, scale, tl.load(weight + at, mask=rows < M, other=0.0), H)
    d_signal, d_opening = d_vector * share, d_vector * signal * share * (1 - share)
    sums += (f * tl.num_programs(0) + tl.program_id(0)) * 8 * H
    _sums(sums + 3 * H, value, observed, missing, d_vector, columns, H)
    tl.store(sums + 6 * H + columns, tl.sum(d_signal, 0), mask=columns < H)
    tl.store(sums + 7 * H + columns, tl.sum(d_opening, 0), mask=columns < H)
    if INPUT:
        d_value = tl.sum(d_vector * _row(embedding, 0, columns, H)[None, :], 1)
        d_observed = tl.sum(d_vector * _row(embedding, 1, columns, H)[None, :], 1)
        d_missing = tl.sum(d_vector * _row(embedding, 2, columns, H)[None, :], 1)
    d_signal, d_opening = d_signal.to(gate.dtype.element_ty), d_opening.to(gate.dtype.element_ty)
    for start in range(0, HP, BK):
        inner = start + tl.arange(0, BK)
        left, right = _gate(gate, inner, columns, H)
        d_hidden = tl.dot(d_signal, tl.trans(left), input_precision=PRECISION)
        d_hidden = tl.dot(d_opening, tl.trans(right), d_hidden, input_precision=PRECISION)
        d_hidden *= tl.minimum(_elu(_affine(value, observed, missing, hidden, inner, H)), 0.0) + 1
        _sums(sums, value, observed, missing, d_hidden, inner, H)
        if INPUT:
            d_value += tl.sum(d_hidden * _row(hidden, 0, inner, H)[None, :], 1)
            d_observed += tl.sum(d_hidden * _row(hidden, 1, inner, H)[None, :], 1)
            d_missing += tl.sum(d_hidden * _row(hidden, 2, inner, H)[None, :], 1)
    if INPUT:
        tl.store(d_input + at * 3, d_value, mask=rows < M)
        tl.store(d_input + at * 3 + 1, d_observed, mask=rows < M)
        tl.store(d_input + at * 3 + 2, d_missing, mask=rows < M)


@triton.jit(do_not_specialize=["F", "M"])
def backward_gate(
    d_centred, x, weight, hidden, embedding, gate, bias, d_weight, statistics, d_gate, F, M, H,
    SEGMENT: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, HP: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """Gradient of the gate's weights over a segment of the rows. Grid: blocks of columns, features, segments.

    Computes the vectors again, from the statistics of `backward_rows`. Writes [segments, F, H, G].
    """
    columns, inner = tl.program_id(0) * BN + tl.arange(0, BN), tl.arange(0, HP)
    f, segment = tl.program_id(1).to(tl.int64), tl.program_id(2)
    hidden += f * 3 * H
    embedding += f * 3 * H
    gate += f * 2 * H * H
    total_left = tl.zeros((HP, BN), tl.float32)
    total_right = tl.zeros((HP, BN), tl.float32)
    for start in range(segment * SEGMENT, tl.minimum((segment + 1) * SEGMENT, M), BM):
        rows = start + tl.arange(0, BM)
        value, observed, missing = _inputs(x + f * M * 3, rows, M)
        signal, share = _signal_and_share(
            value, observed, missing, hidden, gate, bias + f * 2 * H, columns, H, BM, BN, BK, HP, PRECISION
        )
        at = f * M + rows
        mean = tl.load(statistics + at, mask=rows < M, other=0.0)
        scale = tl.load(statistics + tl.cast(F, tl.int64) * M + at, mask=rows < M, other=0.0)
        along = tl.load(d_weight + at, mask=rows < M, other=0.0)
        vector = signal * share + _affine(value, observed, missing, embedding, columns, H)
        inside = (rows[:, None] < M) & (columns[None, :] < H)
        upstream = tl.load(d_centred + rows[:, None] * H + columns[None, :], mask=inside, other=0.0)
        of_rows = tl.load(weight + at, mask=rows < M, other=0.0)
        d_vector = _d_vector(upstream, vector - mean[:, None], along, scale, of_rows, H)
        d_signal = (d_vector * share).to(gate.dtype.element_ty)
        d_opening = (d_vector * signal * share * (1 - share)).to(gate.dtype.element_ty)
        activated = _elu(_affine(value, observed, missing, hidden, inner, H)).to(gate.dtype.element_ty)
        total_left = tl.dot(tl.trans(activated), d_signal, total_left, input_precision=PRECISION)
        total_right = tl.dot(tl.trans(activated), d_opening, total_right, input_precision=PRECISION)
    d_gate += (segment * tl.cast(F, tl.int64) + f) * 2 * H * H
    at = d_gate + inner[:, None] * (2 * H) + columns[None, :]
    inside = (inner[:, None] < H) & (columns[None, :] < H)
    tl.store(at, total_left, mask=inside)
    tl.store(at + H, total_right, mask=inside)
