"""Counts what operations would cost on a GPU: kernel launches, FLOPs, bytes read and written, peak memory.

Bytes are those that each operation reads from and writes to memory, with no cache between two operations, and each
byte of an argument once. FLOPs are those of matrix products. Memory is that of all tensors that are alive, without the
workspaces of kernels and the fragmentation of torch's allocator.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry


@dataclass(frozen=True)
class Cost:
    """Cost of one operation."""

    launches: int
    """Kernels."""
    flops: int
    read: int
    """Bytes."""
    written: int


REGISTRY: dict[str, Callable[[Any, Any], Cost]] = {}
"""Cost of operations that are not torch's own, by name (`namespace::name`), from the arguments and the result. Such an
operation without an entry is an error."""


def one_kernel(flops: Callable[[Any], int]) -> Callable[[Any, Any], Cost]:
    """Cost of a fused kernel that reads each argument and writes each result once.

    Args:
        flops: from the operation's arguments.
    """

    def cost(args: Any, result: Any) -> Cost:
        read, written = (sum(map(_touched, tensors(each))) for each in (args, result))
        return Cost(1, flops(args), read, written)

    return cost


_FREE = {
    "aten::empty",
    "aten::empty_like",
    "aten::empty_strided",
    "aten::new_empty",
    "aten::new_empty_strided",
    "aten::_unsafe_view",
    "aten::lift_fresh",
    "aten::set_",
}
"""Operations that launch nothing, in addition to views."""
_OVERWRITES = {"aten::copy_", "aten::fill_", "aten::zero_", "aten::uniform_", "aten::bernoulli_"}
"""Operations that do not read the tensor that they write."""
_TRANSFERS = {"aten::_to_copy", "aten::copy_"}
_LAUNCHES = {
    "aten::native_layer_norm_backward": 2,
    "aten::slice_backward": 2,
    "aten::select_backward": 2,
    "aten::unfold_backward": 2,
    "aten::topk": 2,
    "aten::sort": 4,
    "aten::index_put": 8,
    "aten::_index_put_impl_": 8,
}
"""Kernels of torch's operations that launch more than one, by torch's source."""
_TENSORS_PER_LAUNCH = {1: 110, 2: 64, 3: 48, 4: 36, 5: 30}
"""Of a fused operation on lists of tensors (`_foreach_…`, `_fused_adamw_`), by the number of lists."""
_CHUNK, _CHUNKS_PER_LAUNCH = 65536, 320


class Row(NamedTuple):
    """One operation that ran."""

    name: str
    cost: Cost
    narrow: bool
    """Whether it takes bfloat16."""


class Counter(TorchDispatchMode):
    """Records the operations on the GPU.

    Raises:
        RuntimeError: an operation computes with tensors of the CPU and of the GPU, or has no known cost.
    """

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Row] = []
        self.transfers = 0
        """Copies between the CPU and the GPU."""
        self.synchronisations = 0
        """Values of the GPU that Python waits for."""
        self.peak = 0
        """Largest number of bytes that are alive."""
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}
        self._total = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, name = kwargs or {}, function._schema.name
        if name == "aten::_local_scalar_dense":
            self.synchronisations += args[0].is_cuda
            return 1.0 if args[0].is_floating_point() else 1  # fake tensors have no values
        result = function(*args, **kwargs)
        inputs, outputs = tensors((args, kwargs)), tensors(result)
        on_cpu = [each for each in (*inputs, *outputs) if not each.is_cuda]
        if len(on_cpu) == len(inputs) + len(outputs):
            return result
        if on_cpu and name in _TRANSFERS:
            self.transfers += 1
        elif any(each.dim() for each in on_cpu):
            raise RuntimeError(f"{name} takes tensors of the CPU and of the GPU")
        self.keep(outputs)
        if not (function.is_view or name in _FREE) and (outputs or function._schema.is_mutable):
            narrow = any(each.dtype == torch.bfloat16 for each in inputs)
            self.rows.append(Row(name, _cost(function, args, kwargs, result), narrow))
        return result

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # otherwise torch imports its compiler, in seconds

    def keep(self, values: Any) -> None:
        """Counts the memory of tensors as long as they are alive."""
        for each in tensors(values):
            storage = each.untyped_storage()
            before = self._alive.get(storage._cdata)
            if each.is_cuda and (before is None or before[0].expired()):
                self._alive[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
                self._total += storage.nbytes() - (before[1] if before else 0)
        if self._total > self.peak:  # only now it matters what has been freed
            for key in [key for key, (reference, _) in self._alive.items() if reference.expired()]:
                self._total -= self._alive.pop(key)[1]
            self.peak = max(self.peak, self._total)


def tensors(values: Any) -> list[Tensor]:
    """The tensors in nested lists, tuples and dictionaries, each once."""
    return list({id(leaf): leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)}.values())


def _cost(function: Any, args: Any, kwargs: Any, result: Any) -> Cost:
    name = function._schema.name
    if name in REGISTRY:
        return REGISTRY[name](args, result)
    if not name.startswith(("aten::", "prims::")):
        raise RuntimeError(f"{name} has no known cost; add it to `REGISTRY` of {Path(__file__).name}")
    read, written = [], []
    for declared, value in zip(function._schema.arguments, (*args, *[None] * len(kwargs)), strict=False):
        changed = declared.alias_info is not None and declared.alias_info.is_write
        values = tensors(kwargs.get(declared.name, value))
        if not (changed and (declared.kwarg_only or name in _OVERWRITES)):
            read += values
        if changed:
            written += values
    if not written:
        written = tensors(result)
    count = flop_registry.get(function._overloadpacket)
    return Cost(
        launches=_launches(name, args),
        flops=int(count(*args, **kwargs, out_val=result)) if count else 0,
        read=sum(map(_touched, read)),
        written=sum(map(_touched, written)),
    )


def _launches(name: str, args: Any) -> int:
    lists = [each for each in args if isinstance(each, (list, tuple)) and each and isinstance(each[0], Tensor)]
    if not name.startswith(("aten::_foreach", "aten::_fused")):
        return _LAUNCHES.get(name, 1)
    per_launch = _TENSORS_PER_LAUNCH[min(len(lists), max(_TENSORS_PER_LAUNCH))]
    chunks = sum(math.ceil(each.numel() / _CHUNK) for each in lists[0])
    return max(math.ceil(len(lists[0]) / per_launch), math.ceil(chunks / _CHUNKS_PER_LAUNCH))


def _touched(tensor: Tensor) -> int:
    """Bytes of a tensor in memory: those of an expanded one, or of overlapping windows, are shared."""
    distinct = math.prod(size for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if stride)
    return min(distinct * tensor.element_size(), tensor.untyped_storage().nbytes())
