"""ELU, GLU and sigmoid whose bits do not depend on the C library.

torch's own kernels compute the last elements of a chunk, those that do not fill a vector register, with the C library's
`expf` and `expm1f`, which releases of glibc round differently. `exp` and `expm1` of a whole tensor never do, at any
size or stride. A GPU does not use the C library, so torch's own kernels are used there.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F  # noqa: N812


def elu(x: Tensor) -> Tensor:
    """x where it is positive, exp(x) − 1 elsewhere (Clevert, Unterthiner, Hochreiter, ICLR 2016). Any shape."""
    if x.is_cuda:
        return F.elu(x)
    value: Tensor = _Elu.apply(x)
    return value


def elu_backward(d_value: Tensor, value: Tensor) -> Tensor:
    """Gradient with respect to the input of an ELU, from the gradient with respect to its output and the output."""
    return torch.ops.aten.elu_backward(d_value, 1, 1, 1, True, value)


def glu(x: Tensor) -> Tensor:
    """First half of the last dimension times the sigmoid of the second (Dauphin et al., ICML 2017).

    Shapes: […, 2H] → […, H].
    """
    if x.is_cuda:
        return F.glu(x, dim=-1)
    value: Tensor = _Glu.apply(x)
    return value


def glu_backward(d_value: Tensor, signal: Tensor, share: Tensor) -> Tensor:
    """Gradient with respect to the input of a GLU, from the gradient with respect to its output, the first half of the
    input and the sigmoid of the second.

    Shapes: three times […, H] → […, 2H].
    """
    d_x = d_value.new_empty(*d_value.shape[:-1], 2 * d_value.shape[-1])
    d_signal, d_gate = d_x.chunk(2, dim=-1)
    through = torch.mul(d_value, share, out=d_signal) * signal
    torch.addcmul(through, through, share, value=-1, out=d_gate)
    return d_x


def sigmoid(x: Tensor) -> Tensor:
    """Sigmoid 1 / (1 + exp(−x)), computed at least in float32; narrower types are rounded at the end. Any shape."""
    if x.is_cuda:
        return torch.sigmoid(x)
    return x.to(torch.promote_types(x.dtype, torch.float32)).neg().exp_().add_(1).reciprocal_().to(x.dtype)


class _Elu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        # exp(x) − 1 is never below x, so the maximum selects the branch; `where` takes three times as long.
        value = x.clamp(max=0).expm1_()
        torch.maximum(value, x, out=value)
        ctx.save_for_backward(value)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_value: Tensor) -> Tensor:
        (value,) = ctx.saved_tensors
        return elu_backward(d_value, value)


class _Glu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        signal, gate = x.chunk(2, dim=-1)
        share = sigmoid(gate)
        ctx.save_for_backward(signal, share)
        return signal * share

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_value: Tensor) -> Tensor:
        return glu_backward(d_value, *ctx.saved_tensors)
