"""A second device on a CPU: `torch.device("second")`, whose tensors may not be mixed with those of the CPU.

Its kernels are the CPU's, so that results must have the same bits as on the CPU, while a tensor on the wrong device is
an error as on a GPU: an operation on tensors of both devices raises, `.numpy()` raises, and a tensor that is made
without `device` is on the CPU. CUDA's own kernels, streams and memory are not covered.

PyTorch reserves the device type `privateuseone` for other hardware; since 2.13 its backend may be written in Python.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.utils import backend_registration

NAME = "second"
MISSING = (
    ""
    if hasattr(backend_registration, "_setup_privateuseone_for_python_backend")
    else f"torch {torch.__version__} has no devices in Python, which came with 2.13"
)
"""Why there is no second device; empty if there is."""

_COPIES = ("aten::copy_", "aten::_to_copy")
"""Operations that may have tensors of both devices."""


class MixedDevicesError(RuntimeError):
    """An operation got tensors of both devices."""


class OnSecond(Tensor):
    """A tensor on the second device; `values` is the tensor on the CPU that has its values."""

    values: Tensor

    @staticmethod
    def __new__(cls, values: Tensor) -> OnSecond:
        made: OnSecond = Tensor._make_wrapper_subclass(
            cls,
            values.size(),
            strides=values.stride(),
            storage_offset=values.storage_offset(),
            dtype=values.dtype,
            device=torch.device(NAME, 0),
        )
        made.values = values
        return made

    def tolist(self) -> Any:
        """Numbers; as for CUDA, the tensor is copied to the CPU."""
        return self.values.tolist()

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"OnSecond({self.values})"

    @classmethod
    def __torch_dispatch__(cls, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(operation, args, kwargs or {})


def _run(operation: Any, args: Any, kwargs: Any) -> Any:
    """Runs an operation on the CPU; its results are on the second device if one of its tensors is, or if it says so."""
    ours: dict[int, OnSecond] = {}
    others: list[Tensor] = []

    def unwrapped(tensor: Tensor) -> Tensor:
        if isinstance(tensor, OnSecond):
            ours[id(tensor.values)] = tensor
            return tensor.values
        if tensor.dim():  # a tensor without dimensions is a number, which may be on the CPU, as for CUDA
            others.append(tensor)
        return tensor

    plain_args, plain_kwargs = _map(unwrapped, args), {name: _map(unwrapped, value) for name, value in kwargs.items()}
    if ours and others and operation._schema.name not in _COPIES:
        raise MixedDevicesError(f"{operation} got tensors on {NAME} and on {others[0].device}")
    on_second, device = bool(ours), kwargs.get("device")
    if device is not None:
        on_second, plain_kwargs["device"] = torch.device(device).type == NAME, torch.device("cpu")
    results = operation(*plain_args, **plain_kwargs)
    # A tensor that is changed in place is returned itself.
    return _map(lambda each: ours[id(each)] if id(each) in ours else OnSecond(each), results) if on_second else results


def _map(function: Callable[[Tensor], Tensor], value: Any) -> Any:
    """Replaces the tensors in arguments or results of an operation, which are values, lists and tuples."""
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, (list, tuple)):
        return type(value)(_map(function, each) for each in value)
    return value


class _Module:
    """What torch asks of the module of a device type, `torch.second`."""

    @staticmethod
    def is_initialized() -> bool:
        return True

    @staticmethod
    def is_available() -> bool:
        return True

    @staticmethod
    def current_device() -> int:
        return 0

    @staticmethod
    def device_count() -> int:
        return 1

    @staticmethod
    def _is_in_bad_fork() -> bool:
        return False

    @staticmethod
    def manual_seed_all(seed: int) -> None:
        """The kernels draw from the CPU's generator."""

    @staticmethod
    def get_amp_supported_dtype() -> list[torch.dtype]:
        return [torch.bfloat16]


_FACTORIES = ("empty.memory_format", "empty_strided", "arange", "arange.start", "arange.start_step")
"""Operations without tensors among their arguments, which torch therefore finds by the device alone."""


@cache
def second_device() -> torch.device:
    """Registers the device once in this process, and returns it."""
    backend_registration._setup_privateuseone_for_python_backend(NAME, _Module())
    for name in _FACTORIES:
        torch.library.impl(f"aten::{name}", "privateuseone")(_factory(name))
    torch.library.impl("aten::_copy_from", "privateuseone")(_copy_from)
    torch.library.impl("aten::pin_memory", "cpu")(_pin_memory)
    return torch.device(NAME, 0)


def _factory(name: str) -> Callable[..., Tensor]:
    packet, _, overload = name.partition(".")
    operation = getattr(getattr(torch.ops.aten, packet), overload or "default")

    def make(*args: Any, **kwargs: Any) -> Tensor:
        made: Tensor = _run(operation, args, kwargs | {"device": torch.device(NAME)})
        return made

    return make


def _copy_from(source: Tensor, target: OnSecond, non_blocking: bool = False) -> Tensor:
    """Part of `torch.tensor(…, device=…)` and `new_tensor`."""
    target.values.copy_(source.values if isinstance(source, OnSecond) else source)
    return target


def _pin_memory(values: Tensor, device: torch.device | None = None) -> Tensor:
    """A copy, as for CUDA, in memory that is not pinned."""
    return values.clone()
