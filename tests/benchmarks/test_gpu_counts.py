"""Cost of a training step on a GPU, counted on fake CUDA tensors: as recorded; the counter counts operations right.

Fake CUDA tensors change the process, so each count runs in a process of its own. With a CPU build of torch it compiles
a device with g++.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from steps import fake_device
from steps.costs import Cost, Row
from steps.estimates import GPUS, PYTHON_SECONDS, seconds

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests/training/golden/gpu_counts.txt"
RECORD = f"python benchmarks/gpu_counts.py --counts {GOLDEN.relative_to(ROOT)}"
EXACT = ("launches", "operations", "flops", "transfers", "synchronisations")
TOLERANCE = 0.1
"""Of bytes and peak memory; with another release of torch than the recorded one, of all columns."""

pytestmark = pytest.mark.skipif(fake_device.missing() is not None, reason=str(fake_device.missing()))

CHECKS = """
import json
import gpu_counts
import torch
from steps.costs import REGISTRY, Counter, one_kernel
from steps.fake_cuda import fake_cuda

@torch.library.custom_op("counted::fused", mutates_args=())
def fused(x: torch.Tensor) -> torch.Tensor:
    raise NotImplementedError

@fused.register_fake
def _(x):
    return torch.empty_like(x)

def counted(work):
    with Counter() as counter:
        try:
            work()
        except Exception as error:
            return str(error).splitlines()[0]
    costs = [[row.name, *vars(row.cost).values()] for row in counter.rows]
    return {"rows": costs, "transfers": counter.transfers, "waits": counter.synchronisations, "peak": counter.peak}

def three():
    first = torch.ones(100, device="cuda")
    second = torch.ones(100, device="cuda")
    del first
    return second, torch.ones(100, device="cuda")

with fake_cuda():
    with torch.device("cuda"):
        x, y, left, right = torch.ones(10), torch.ones(10), torch.ones(2, 3), torch.ones(3, 4)
        many, lstm, z = [torch.ones(5) for _ in range(200)], torch.nn.LSTM(8, 8, batch_first=True), torch.ones(4, 6, 8)
    results = {
        "product": counted(lambda: left @ right),
        "in place": counted(lambda: x.add_(y)),
        "copy": counted(lambda: x.copy_(y)),
        "expanded": counted(lambda: x[:1].expand(10) + y),
        "windows": counted(lambda: x.unfold(0, 4, 1).clone()),
        "view": counted(lambda: x.view(2, 5)),
        "list": counted(lambda: torch._foreach_mul_(many, 2.0)),
        "wait": counted(lambda: bool((x > 0).any())),
        "transfer": counted(lambda: torch.ones(3).to("cuda")),
        "on the CPU": counted(lambda: torch.ones(3) + 1),
        "peak": counted(three),
        "mixture": counted(lambda: x + torch.ones(10)),
        "lstm": counted(lambda: lstm(z)[0].sum().backward()),
        "unknown": counted(lambda: fused(x)),
    }
    REGISTRY["counted::fused"] = one_kernel(lambda args: 3 * args[0].numel())
    results["known"] = counted(lambda: fused(x))
params = gpu_counts.parameters(["tier=tier1", "numerics.device=cuda"])
step = {"tier1": {"baseline": gpu_counts.step(params, "baseline")}}
results["step"] = gpu_counts.lines(step, "float32")
print(json.dumps(results))
"""


@pytest.fixture(scope="module")
def checks() -> dict[str, Any]:
    """What the counter counts for single operations."""
    return json.loads(run("-c", CHECKS))


def run(*command: str) -> str:
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT / "benchmarks")])
    child = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )
    assert child.returncode == 0, child.stderr
    return child.stdout


@pytest.mark.parametrize(
    ("operation", "launches", "flops", "read", "written"),
    [
        ("product", 1, 2 * 2 * 3 * 4, 4 * (2 * 3 + 3 * 4), 4 * 2 * 4),
        ("in place", 1, 0, 80, 40),
        ("copy", 1, 0, 40, 40),
        ("expanded", 1, 0, 44, 40),
        ("windows", 1, 0, 40, 4 * 7 * 4),
        ("list", 2, 0, 200 * 20, 200 * 20),
        ("known", 1, 30, 40, 40),
    ],
)
def test_an_operation_has_its_launches_flops_and_bytes(
    checks: dict[str, Any], operation: str, launches: int, flops: int, read: int, written: int
) -> None:
    assert [row[1:] for row in checks[operation]["rows"]] == [[launches, flops, read, written]]


def test_views_and_operations_on_the_cpu_cost_nothing(checks: dict[str, Any]) -> None:
    assert checks["view"]["rows"] == checks["on the CPU"]["rows"] == []


def test_waiting_for_the_gpu_and_copies_from_the_cpu_are_counted(checks: dict[str, Any]) -> None:
    assert (checks["wait"]["waits"], checks["transfer"]["transfers"]) == (1, 1)
    assert (checks["product"]["waits"], checks["product"]["transfers"]) == (0, 0)


def test_the_peak_is_that_of_the_tensors_alive_at_once(checks: dict[str, Any]) -> None:
    assert checks["peak"]["peak"] == 800


def test_a_tensor_of_the_cpu_in_an_operation_of_the_gpu_is_an_error(checks: dict[str, Any]) -> None:
    assert "at least two devices, cuda:0 and cpu" in checks["mixture"]


def test_an_operation_that_is_not_torchs_own_needs_a_stated_cost(checks: dict[str, Any]) -> None:
    assert checks["unknown"] == "counted::fused has no known cost; add it to `REGISTRY` of costs.py"


def test_the_lstm_is_one_operation_in_each_direction_as_in_cudnn(checks: dict[str, Any]) -> None:
    rows = {name: rest for name, *rest in checks["lstm"]["rows"] if "lstm" in name}
    assert list(rows) == ["gpu_counts::lstm", "gpu_counts::lstm_backward"]
    windows, length, size = 4, 6, 8
    products = 2 * windows * length * size * 4 * size
    assert [rest[1] for rest in rows.values()] == [2 * products, 4 * products]


def test_the_time_of_a_step_is_the_largest_of_compute_memory_and_python() -> None:
    h200 = GPUS["H200"]
    compute = Row("aten::mm", Cost(1, 67 * 10**9, 0, 0), narrow=False)
    memory = Row("aten::add", Cost(1, 0, 3 * 10**9, 1 * 10**9), narrow=False)
    launches = Row("aten::add", Cost(1, 0, 4, 4), narrow=False)
    assert seconds([compute], h200, "float32") == pytest.approx(1e-3 / 0.6 + 1.5e-6)
    assert seconds([compute], h200, "tf32") == pytest.approx(67 / 495 * 1e-3 / 0.35 + 1.5e-6)
    assert seconds([compute], h200, "bf16") == seconds([compute], h200, "float32")
    assert seconds([memory], h200, "float32") == pytest.approx(4 / 4800 / 0.8 + 1.5e-6)
    assert seconds([launches] * 100, h200, "float32") == pytest.approx(100 * PYTHON_SECONDS)


def test_a_step_of_the_first_phase_costs_what_is_recorded(checks: dict[str, Any]) -> None:
    compare(checks["step"])


@pytest.mark.parametrize(
    ("column", "factor", "fails"), [("launches", 1.01, True), ("read", 1.09, False), ("peak", 1.11, True)]
)
def test_a_count_that_is_not_the_recorded_one_fails_beyond_its_tolerance(
    column: str, factor: float, fails: bool
) -> None:
    version, head, first, *_ = GOLDEN.read_text(encoding="utf-8").splitlines()
    row = first.split()
    place = head.split().index(column)
    row[place] = str(round(int(row[place]) * factor))
    text = "\n".join([version, head, " ".join(row)])
    release = torch.__version__.startswith(version.removeprefix("torch "))
    with pytest.raises(AssertionError, match=column) if fails and (release or factor > 1.1) else nullcontext():
        compare(text)


@pytest.mark.slow
def test_a_step_of_every_phase_of_both_tiers_costs_what_is_recorded(tmp_path: Path) -> None:
    run("benchmarks/gpu_counts.py", "--counts", str(tmp_path / "counts.txt"))
    text = (tmp_path / "counts.txt").read_text(encoding="utf-8")
    compare(text)
    assert len(text.splitlines()) == len(GOLDEN.read_text(encoding="utf-8").splitlines())


def compare(text: str) -> None:
    """Compares counts with the record."""
    (version, recorded), (_, counted) = read(GOLDEN.read_text(encoding="utf-8")), read(text)
    exact = EXACT if torch.__version__.startswith(version) else ()
    different = {
        f"{step}, {column}": f"{value:,}, recorded {recorded[step][column]:,}"
        for step, found in counted.items()
        for column, value in found.items()
        if abs(value - recorded[step][column]) > (0 if column in exact else TOLERANCE * recorded[step][column])
    }
    assert different == {}, f"if it is meant, record it: `{RECORD}`"


def read(text: str) -> tuple[str, dict[str, dict[str, int]]]:
    """The release of torch, and the counts by step."""
    version, head, *rows = text.splitlines()
    columns = head.split()
    split = [row.split() for row in rows]
    counts = {" ".join(row[:3]): dict(zip(columns[3:], map(int, row[3:]), strict=True)) for row in split}
    return version.removeprefix("torch "), counts
