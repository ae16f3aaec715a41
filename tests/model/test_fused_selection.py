"""The fused variable selection against the torch path: on a GPU, or on a CPU in Triton's interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gogooku3.model import fused_selection
from gogooku3.model.feature_networks import FeatureNetworks
from gogooku3.model.selection import Selection

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu":
    os.environ["TRITON_INTERPRET"] = "1"  # read by Triton when it loads

needs_triton = pytest.mark.skipif(
    find_spec("triton") is None, reason="Triton is not installed: `make test-kernels` installs it and runs these"
)
SHAPES = [(5, 70, 6), (3, 130, 24), (2, 67, 64), pytest.param(2, 40, 200, marks=pytest.mark.slow)]
"""Features, rows, hidden size: nothing a multiple of a tile, and several groups of features and segments of rows."""


@pytest.fixture
def fused(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Switches between the kernels, with small groups and segments, and the torch path."""
    monkeypatch.setattr(fused_selection, "_GROUP", 2)
    monkeypatch.setattr(fused_selection, "_SEGMENT", 64)
    if DEVICE == "cpu":
        _repair_products_of_bfloat16(monkeypatch)
    return lambda on: monkeypatch.setattr(fused_selection, "usable", lambda *_: on)


def _repair_products_of_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter of Triton 3.9 multiplies the bits of bfloat16 numbers as integers. float32 has their products
    exactly, as a GPU does."""
    import triton.language as tl
    from triton.runtime.interpreter import InterpreterBuilder

    broken = InterpreterBuilder.create_dot

    def create_dot(builder: Any, a: Any, b: Any, *others: Any) -> Any:
        wide = (builder.cast_impl(each, tl.float32) if each.dtype.scalar == tl.bfloat16 else each for each in (a, b))
        return broken(builder, *wide, *others)

    monkeypatch.setattr(InterpreterBuilder, "create_dot", create_dot)


def inputs(features: int, rows: int) -> tuple[Tensor, Tensor]:
    """The networks' inputs, a fifth and one whole feature missing, and weights."""
    value_FM, observed_FM = torch.randn(features, rows), (torch.rand(features, rows) > 0.2).float()
    observed_FM[-1] = 0
    input_FM3 = torch.stack([value_FM * observed_FM, observed_FM, 1 - observed_FM], dim=-1)
    return input_FM3.to(DEVICE).requires_grad_(), torch.randn(features, rows).softmax(0).to(DEVICE).requires_grad_()


def gradients(module: nn.Module, upstream: Tensor, *of: Tensor) -> list[Tensor]:
    """The module's value, and the gradients of its inputs and parameters."""
    value: Any = module(*of)
    value = value[0] if isinstance(value, tuple) else value
    found = torch.autograd.grad(value, (*(each for each in of if each.requires_grad), *module.parameters()), upstream)
    return [value.detach(), *found]


def errors(found: list[Tensor], exact: list[Tensor]) -> list[float]:
    return [float((one - other).norm() / other.norm()) for one, other in zip(found, exact, strict=True)]


@needs_triton
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("features", "rows", "size"), SHAPES)
def test_value_and_every_gradient_are_as_precise_as_the_products(
    fused: Callable[[bool], None], features: int, rows: int, size: int, dtype: torch.dtype
) -> None:
    networks, of = FeatureNetworks(features, size).to(DEVICE), inputs(features, rows)
    upstream = torch.randn(rows, size, device=DEVICE)
    fused(False)
    exact = gradients(networks.double(), upstream.double(), *(each.double() for each in of))
    networks.float()
    fused(True)
    with torch.autocast(DEVICE, dtype, enabled=dtype != torch.float32):
        found = gradients(networks, upstream, *of)
    assert {each.dtype for each in found} == {torch.float32}
    assert max(errors(found, exact)) < 8 * torch.finfo(dtype).eps


@needs_triton
def test_the_same_bytes_each_time(fused: Callable[[bool], None]) -> None:
    networks, of, upstream = FeatureNetworks(3, 16).to(DEVICE), inputs(3, 70), torch.randn(70, 16, device=DEVICE)
    fused(True)
    first, *others = (gradients(networks, upstream, *of) for _ in range(3))
    assert all(torch.equal(one, each) for other in others for one, each in zip(first, other, strict=True))


@needs_triton
def test_a_row_depends_neither_on_other_rows_nor_on_their_number(fused: Callable[[bool], None]) -> None:
    networks, (input_FM3, weight_FM) = FeatureNetworks(3, 16).to(DEVICE), inputs(3, 150)
    fused(True)
    with torch.no_grad():
        all_MH = networks(input_FM3, weight_FM)
        assert torch.equal(networks(input_FM3[:, 7:90], weight_FM[:, 7:90]), all_MH[7:90])


@needs_triton
def test_the_block_with_missing_values_and_dropout(fused: Callable[[bool], None]) -> None:
    selection, x_MF, upstream = Selection(5, 12, dropout=0.5).to(DEVICE), torch.randn(70, 5), torch.randn(70, 12)
    x_MF[torch.rand(70, 5) < 0.2] = torch.nan
    x_MF[3] = torch.nan
    results = []
    for on in (False, True):
        fused(on)
        torch.manual_seed(1)
        results.append(gradients(selection, upstream.to(DEVICE), x_MF.to(DEVICE)))
    reference, found = results
    assert torch.equal(reference[0] == 0, found[0] == 0)
    assert 0.4 < float((found[0] == 0).float().mean()) < 0.6
    for one, other in zip(found, reference, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@needs_triton
def test_no_gradient_is_computed_for_inputs_that_need_none(fused: Callable[[bool], None]) -> None:
    networks, of, upstream = FeatureNetworks(3, 16).to(DEVICE), inputs(3, 70), torch.randn(70, 16, device=DEVICE)
    fused(True)
    of[0].requires_grad_(False)
    shapes: list[tuple[int, ...]] = []

    class Shapes(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = function(*args, **(kwargs or {}))
            if "selection_backward_rows" in str(function):
                shapes.extend(tuple(each.shape) for each in result)
            return result

    with Shapes():
        gradients(networks, upstream, *of)
    assert shapes == [(3, 70), (2, 3, 70), (3, 2, 8, 16), (0,)]


def test_a_cpu_computes_with_torch() -> None:
    weight_FM, hidden_F3H = torch.rand(3, 5), torch.rand(3, 3, 16)
    assert not fused_selection.usable(weight_FM, hidden_F3H)


@needs_triton  # where it is not installed, every other test shows it
def test_without_triton_the_network_is_importable() -> None:
    code = (
        "import sys; sys.modules['triton'] = None; import gogooku3.model.network;"
        " print('gogooku3.model.selection_kernels' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


COMPILE = """
import sys
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile
from gogooku3.model import fused_selection, selection_kernels

size, dtype, products = int(sys.argv[1]), sys.argv[2], sys.argv[3]
for name in ("forward", "backward_rows", "backward_gate"):
    kernel, constants = getattr(selection_kernels, name), fused_selection.constants(name, size, products)
    options = {option: constants.pop(option) for option in ("num_warps", "enable_fp_fusion")}
    if name == "backward_rows":
        constants["INPUT"] = False
    kinds = dict.fromkeys(kernel.arg_names, "*fp32") | dict.fromkeys("FMH", "i32")
    kinds |= dict.fromkeys(("hidden", "gate"), f"*{dtype}") | dict.fromkeys(constants, "constexpr")
    aligned = {
        (place,): [["tt.divisibility", 16]]
        for place, each in enumerate(kernel.arg_names)
        if kinds[each].startswith("*") or each == "H"
    }
    source = ASTSource(kernel, {each: kinds[each] for each in kernel.arg_names}, constexprs=constants, attrs=aligned)
    print(compile(source, target=GPUTarget("cuda", 90, 32), options=options).metadata.shared)
"""


@needs_triton
@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "dtype", "products"),
    [(64, "fp32", "ieee"), (64, "fp32", "tf32"), (64, "bf16", "ieee"), (256, "bf16", "ieee")],
)
def test_the_kernels_compile_for_compute_capability_9_and_fit_its_shared_memory(
    size: int, dtype: str, products: str
) -> None:
    """Needs no GPU: Triton brings the assembler."""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    arguments = [sys.executable, "-c", COMPILE, str(size), dtype, products]
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=True)
    shared = [int(line) for line in done.stdout.split()]
    assert len(shared) == 3
    assert max(shared) <= 227 << 10
