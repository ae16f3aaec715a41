"""Fake CUDA tensors without a GPU: torch runs the operations that it would run on one, with shapes and no values.

cuDNN is missing in a CPU build, where torch would split the LSTM into several operations per session. Here the LSTM is
one operation with an estimated cost, as on a GPU. The variable selection is that of the Triton kernels, which CUDA
builds of torch bring: its operations are known here, and nothing launches them.

A process that imports this module called `fake_device.install` before.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils import _foreach_utils

from gogooku3.model import fused_selection
from steps.costs import REGISTRY, Cost, one_kernel

if torch.version.cuda is None:
    # Autocast asks whether there is a GPU, and would switch itself off.
    torch.amp.autocast_mode.torch.cuda.amp.common.amp_definitely_not_available = lambda: False
    torch.cuda.is_bf16_supported = lambda *_, **__: True
fused_selection.has_triton = lambda: True
# Gradients are clipped by one operation on all of them, if their type is known.
_foreach_utils._foreach_supported_types.append(FakeTensor)
warnings.filterwarnings("ignore", "PyTorch was compiled without cuDNN")


@contextmanager
def fake_cuda() -> Iterator[None]:
    """Context manager: tensors are fake, and the LSTM is cuDNN's."""
    with FakeTensorMode(), _CudnnLstm():
        yield


class _CudnnLstm(TorchFunctionMode):
    """Replaces torch's LSTM by the operation of one layer below, in the precision of autocast."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is not torch.lstm:
            return function(*args, **(kwargs or {}))
        z_NLH, (h_1NH, c_1NH), weights, *_ = args
        if torch.is_autocast_enabled("cuda"):
            narrow = torch.get_autocast_dtype("cuda")
            z_NLH, weights = z_NLH.to(narrow), [each.to(narrow) for each in weights]
        states_NLH, _ = torch.ops.gpu_counts.lstm(z_NLH, *weights)
        return states_NLH, h_1NH, c_1NH


@torch.library.custom_op("gpu_counts::lstm", mutates_args=())
def _lstm(z_NLH: Tensor, input_GH: Tensor, state_GH: Tensor, b_G: Tensor, c_G: Tensor) -> tuple[Tensor, Tensor]:
    raise NotImplementedError("only for fake tensors")


@_lstm.register_fake
def _(z_NLH: Tensor, input_GH: Tensor, state_GH: Tensor, b_G: Tensor, c_G: Tensor) -> tuple[Tensor, Tensor]:
    reserve_NLX = z_NLH.new_empty(*z_NLH.shape[:-1], 5 * z_NLH.shape[-1])  # gates and cell of every session
    return torch.empty_like(z_NLH), reserve_NLX


@torch.library.custom_op("gpu_counts::lstm_backward", mutates_args=())
def _lstm_backward(d_NLH: Tensor, saved: list[Tensor]) -> list[Tensor]:
    raise NotImplementedError("only for fake tensors")


@_lstm_backward.register_fake
def _(d_NLH: Tensor, saved: list[Tensor]) -> list[Tensor]:
    return [torch.empty_like(each) for each in saved[:5]]


def _save(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(*inputs, *output)


def _backward(ctx: Any, d_NLH: Tensor, d_reserve: Tensor | None) -> tuple[Tensor, ...]:
    return tuple(torch.ops.gpu_counts.lstm_backward(d_NLH, list(ctx.saved_tensors)))


_lstm.register_autograd(_backward, setup_context=_save)


def _lstm_cost(launches: int, products: int, read: int, written: int) -> Any:
    """Cost of cuDNN's LSTM in its standard algorithm.

    Args:
        launches: kernels per session: a product and the gates.
        products: multiplications with a weight matrix, [H, 4H].
        read, written: numbers per window, session and unit.
    """

    def cost(args: Any, result: Any) -> Cost:
        windows, length, size = args[0].shape
        elements = windows * length * size
        width = args[0].element_size()
        return Cost(
            launches=launches * length + 4,
            flops=products * 2 * elements * 4 * size,
            read=read * elements * width,
            written=written * elements * width,
        )

    return cost


# Forward: the inputs' product (read 1, write 4), then per session the state's product added to it (5, 4) and the gates
# (5, 6 with what the backward pass needs). Backward: gates (8, 5), products with both weights (8, 2), their gradients
# (10, 0).
REGISTRY["gpu_counts::lstm"] = _lstm_cost(2, 2, 11, 14)
REGISTRY["gpu_counts::lstm_backward"] = _lstm_cost(2, 4, 26, 7)


def _selection_cost(products: int, small_products: int, first: int) -> Any:
    """Cost of a kernel of the variable selection, which reads each argument and writes each result once.

    Args:
        products: products with a gate matrix, [H, 2H], per feature and row.
        small_products: products with the three rows of a feature's hidden layer and embedding, [3, 2H].
        first: position of the argument `input_FM3`; the gate follows two arguments later.
    """

    def flops(args: Any) -> int:
        (features, rows), size = args[first].shape[:2], args[first + 2].shape[-1]
        return int(features * rows * (products * 4 * size * size + small_products * 12 * size))

    return one_kernel(flops)


REGISTRY["gogooku3::selection_forward"] = _selection_cost(1, 1, 0)
REGISTRY["gogooku3::selection_backward_rows"] = _selection_cost(2, 2, 1)
REGISTRY["gogooku3::selection_backward_gate"] = _selection_cost(2, 1, 1)
