"""The feature networks and their weighted sum as Triton kernels for CUDA, which keep [F, M, H] out of memory.

torch's operations write and read several tensors of this size, forward and backward. Here a program of the GPU has a
tile in its registers from the inputs to the sum. Backward recomputes it twice: once for the gradients of everything
that belongs to a row or is summed over a block of rows, and once for those of the gate's weights.

Sums over programs are stored as partial sums and added in a fixed order, without atomics, so the bytes are the same
each time. A row's value does not depend on the other rows. Each launch is an operation of torch's dispatcher, so that
counters of bytes and fake tensors see it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, reduce
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

EPSILON = 1e-5
"""Added to the variance of a vector."""
LARGEST_SIZE = 256
"""Largest hidden size: the tiles of larger ones exceed a GPU's registers."""
_GROUP = 64
"""Features per program of the forward pass; the number of groups, and with it the order of sums, depends on F alone."""
_SEGMENT = 2048
"""Rows per program of the gradient of the gate's weights."""
_INNER = 32
"""Rows of the gate's weights per step of a matrix product."""
_TILE = 8192
"""Largest number of elements of a tile; larger ones do not fit into the registers of 8 warps."""


@cache
def has_triton() -> bool:
    """Whether Triton is installed: CUDA builds of torch for Linux bring it."""
    return find_spec("triton") is not None


def usable(weight_FM: Tensor, hidden_F3H: Tensor) -> bool:
    """Whether the kernels compute these tensors: CUDA, float32 or bfloat16 products, a hidden size that fits."""
    return (
        weight_FM.is_cuda
        and weight_FM.dtype == torch.float32
        and hidden_F3H.dtype in (torch.float32, torch.bfloat16)
        and hidden_F3H.shape[-1] <= LARGEST_SIZE
        and has_triton()
    )


class WeightedSum(torch.autograd.Function):
    """Same arguments, result and gradients as the torch path of `gogooku3.model.feature_networks`, up to rounding."""

    @staticmethod
    def forward(ctx: Any, input_FM3: Tensor, weight_FM: Tensor, *weights: Tensor) -> Tensor:
        """Inputs, selection weights, and the networks' weights; remembers the precision of the products."""
        ctx.save_for_backward(input_FM3, weight_FM, *weights)
        ctx.products = "tf32" if torch.backends.cuda.matmul.allow_tf32 else "ieee"
        partial_GMH = _forward(*_operands(input_FM3, weight_FM, *weights), ctx.products)
        # Addition by addition: how torch splits a sum may depend on the number of rows.
        return reduce(torch.add, partial_GMH.unbind())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_selected_MH: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of the arguments, in their order."""
        needs_input = ctx.needs_input_grad[0]
        operands = _operands(*ctx.saved_tensors)
        d_centred_MH = (d_selected_MH - d_selected_MH.mean(-1, keepdim=True)).contiguous()
        d_weight_FM, statistics_2FM, sums_FB8H, d_input_FM3 = _backward_rows(
            d_centred_MH, *operands, needs_input, ctx.products
        )
        partial_SFHG = _backward_gate(d_centred_MH, *operands, d_weight_FM, statistics_2FM, ctx.products)
        d_hidden_F3H, d_embedding_F3H, d_bias_F2H = sums_FB8H.sum(1).split((3, 3, 2), dim=1)
        d_bias_F1G = d_bias_F2H.reshape(len(d_bias_F2H), 1, -1)
        return (
            d_input_FM3 if needs_input else None,
            *(d_weight_FM, d_hidden_F3H, d_embedding_F3H, partial_SFHG.sum(0), d_bias_F1G),
        )


def _operands(
    input_FM3: Tensor, weight_FM: Tensor, hidden_F3H: Tensor, embedding_F3H: Tensor, gate_FHG: Tensor, bias_F1G: Tensor
) -> list[Tensor]:
    """As the kernels read them: contiguous, the gate's weights in the precision of the products."""
    gate_FHG = gate_FHG.to(hidden_F3H.dtype)
    return [each.contiguous() for each in (input_FM3, weight_FM, hidden_F3H, embedding_F3H, gate_FHG, bias_F1G)]


def constants(kernel: str, size: int, products: str) -> dict[str, Any]:
    """Compile-time constants and options of a kernel for a hidden size and a precision of float32 products."""
    padded = max(16, 1 << (size - 1).bit_length())
    own: dict[str, dict[str, Any]] = {
        "forward": {"GROUP": _GROUP, "EPSILON": EPSILON},
        "backward_rows": {"EPSILON": EPSILON},
        "backward_gate": {"SEGMENT": _SEGMENT, "BN": min(padded, _TILE // padded)},
    }
    return own[kernel] | {
        **{"BM": _rows_of_tile(size), "BK": min(_INNER, padded), "HP": padded, "PRECISION": products},
        **{"num_warps": 8, "enable_fp_fusion": True},
    }


def _rows_of_tile(size: int) -> int:
    return min(64, _TILE // max(16, 1 << (size - 1).bit_length()))


def _sizes(input_FM3: Tensor, hidden_F3H: Tensor) -> tuple[int, int, int]:
    return input_FM3.shape[0], input_FM3.shape[1], hidden_F3H.shape[-1]


def _blocks(number: int, block: int) -> int:
    return -(-number // block)


def _operation(schema: str) -> Callable[[Callable[..., Any]], Any]:
    """Registers a function as an operation; its docstring gives the shapes."""

    def register(function: Callable[..., Any]) -> Any:
        name = f"gogooku3::selection{function.__name__}"
        return torch.library.custom_op(name, function, mutates_args=(), schema=schema)

    return register


_OPERANDS = "Tensor input, Tensor weight, Tensor hidden, Tensor embedding, Tensor gate, Tensor bias"


@_operation(f"({_OPERANDS}, str products) -> Tensor")
def _forward(*arguments: Any) -> Tensor:
    """Weighted sums of groups of features [groups, M, H]."""
    from gogooku3.model import selection_kernels

    *operands, products = arguments
    features, rows, size = _sizes(operands[0], operands[2])
    partial_GMH = _forward_like(*arguments)
    selection_kernels.forward[_blocks(rows, _rows_of_tile(size)), len(partial_GMH)](
        *(*operands, partial_GMH, features, rows, size), **constants("forward", size, products)
    )
    return partial_GMH


def _forward_like(*arguments: Any) -> Tensor:
    input_FM3, weight_FM, hidden_F3H = arguments[:3]
    features, rows, size = _sizes(input_FM3, hidden_F3H)
    return weight_FM.new_empty(_blocks(features, _GROUP), rows, size)


_forward.register_fake(_forward_like)


@_operation(
    f"(Tensor upstream, {_OPERANDS}, bool needs_input, str products) -> (Tensor, Tensor, Tensor, Tensor)",
)
def _backward_rows(*arguments: Any) -> tuple[Tensor, ...]:
    """Gradient of the selection weights [F, M], statistics [2, F, M], sums of blocks of rows [F, blocks, 8, H], and the
    gradient of the inputs, empty if they do not need it."""
    from gogooku3.model import selection_kernels

    d_centred_MH, *operands, needs_input, products = arguments
    features, rows, size = _sizes(operands[0], operands[2])
    results = _backward_rows_like(*arguments)
    selection_kernels.backward_rows[_blocks(rows, _rows_of_tile(size)), features](
        *(d_centred_MH, *operands, *results, features, rows, size),
        **constants("backward_rows", size, products),
        INPUT=needs_input,
    )
    return results


def _backward_rows_like(*arguments: Any) -> tuple[Tensor, ...]:
    _, input_FM3, weight_FM, hidden_F3H, *_, needs_input, _ = arguments
    features, rows, size = _sizes(input_FM3, hidden_F3H)
    return (
        torch.empty_like(weight_FM),
        weight_FM.new_empty(2, features, rows),
        weight_FM.new_empty(features, _blocks(rows, _rows_of_tile(size)), 8, size),
        torch.empty_like(input_FM3) if needs_input else input_FM3.new_empty(0),
    )


_backward_rows.register_fake(_backward_rows_like)


@_operation(f"(Tensor upstream, {_OPERANDS}, Tensor d_weight, Tensor statistics, str products) -> Tensor")
def _backward_gate(*arguments: Any) -> Tensor:
    """Gradient of the gate's weights from each segment of the rows [segments, F, H, G]."""
    from gogooku3.model import selection_kernels

    d_centred_MH, *operands, d_weight_FM, statistics_2FM, products = arguments
    features, rows, size = _sizes(operands[0], operands[2])
    partial_SFHG, fixed = _backward_gate_like(*arguments), constants("backward_gate", size, products)
    selection_kernels.backward_gate[_blocks(size, fixed["BN"]), features, len(partial_SFHG)](
        *(d_centred_MH, *operands, d_weight_FM, statistics_2FM, partial_SFHG, features, rows, size), **fixed
    )
    return partial_SFHG


def _backward_gate_like(*arguments: Any) -> Tensor:
    _, input_FM3, weight_FM, hidden_F3H, *_ = arguments
    features, rows, size = _sizes(input_FM3, hidden_F3H)
    return weight_FM.new_empty(_blocks(rows, _SEGMENT), features, size, 2 * size)


_backward_gate.register_fake(_backward_gate_like)
