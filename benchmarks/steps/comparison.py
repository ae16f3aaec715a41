"""Runs the steps of every network, interleaved, each in a separate process, and collects the timings."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from steps.shape import Result, Shape

_BENCHMARKS = Path(__file__).resolve().parents[1]
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Network:
    """A network to measure, and the command line of its process."""

    module: str
    arguments: tuple[str, ...] = ()
    """Arguments of the module after shape, result and runs."""
    instruction_set: str | None = None
    """Instruction set of our networks; None for a peer, which runs with PyTorch's defaults."""


OURS = {
    "ours": Network("steps.ours", ("baseline",), "native"),
    "ours, portable": Network("steps.ours", ("baseline",), "portable"),
    "ours, features in a loop": Network("steps.ours", ("baseline", "loop"), "native"),
}
PEERS = {
    "pytorch-forecasting": Network("steps.tft_pytorch_forecasting"),
    "neuralforecast": Network("steps.tft_neuralforecast"),
}
PHASES = {f"ours, phase {phase}": Network("steps.ours", (phase,), "native") for phase in ("adaptive_norm", "gat")}


@dataclass(frozen=True)
class Measured:
    """Timings and memory of a network's steps at one shape: medians over the runs."""

    shape: Shape
    seconds: dict[str, float]
    """By part of the step."""
    windows: int
    """Windows per forward pass (micro-batch)."""
    growth: int
    """Growth of peak resident memory (RSS) in a micro-batch, in bytes; the smallest of the runs."""
    versions: dict[str, str]

    @property
    def step(self) -> float:
        """Seconds of a step over the full batch."""
        return self.seconds["piece"] * self.shape.windows / self.windows + self.seconds["update"]

    @property
    def per_second(self) -> float:
        """Samples per second."""
        return self.shape.windows / self.step

    @property
    def memory(self) -> float:
        """Bytes per window."""
        return self.growth / self.windows


def compare(shape: Shape, networks: dict[str, Network], runs: int, python: Path | None) -> dict[str, Measured]:
    """Measures every network at one shape, `runs` times interleaved; peers only if their interpreter is given.

    Raises:
        SystemExit: a process failed, or the loop over features gives other scores than ours.
    """
    results: dict[str, list[Result]] = {name: [] for name in networks}
    for run in range(runs):
        for name, network in networks.items():
            interpreter = Path(sys.executable) if network.instruction_set else python
            if interpreter is not None:
                results[name].append(_run(network, interpreter, shape))
                measured = _median(shape, results[name][-1:])
                setting = f"{shape.features} features, {shape.window} sessions, run {run + 1} of {runs}"
                print(f"{setting}: {name}: {measured.per_second:,.1f} samples a second", file=sys.stderr, flush=True)
    return {name: _median(shape, results_of) for name, results_of in results.items() if results_of}


def fed(shape: Shape, runs: int, stocks: int) -> Measured:
    """Measures our steps, interleaved with reading blocks from a panel on disk (data loading)."""
    with tempfile.TemporaryDirectory() as folder:
        network = Network("steps.inputs", (str(stocks), folder), "native")
        return _median(shape, [_run(network, Path(sys.executable), shape, 4 * runs)])


def _run(network: Network, interpreter: Path, shape: Shape, runs: int = 3) -> Result:
    environment = os.environ | dict.fromkeys(_THREADS, str(shape.threads))
    paths = [_BENCHMARKS, *([_BENCHMARKS.parent / "src"] if network.instruction_set else [])]
    environment["PYTHONPATH"] = os.pathsep.join(map(str, paths))
    pinned = ["steps.pinned", network.instruction_set, str(shape.threads)] if network.instruction_set else []
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        command = [interpreter, "-m", *pinned, network.module, str(shape), result, str(runs), *network.arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{network.module} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return Result.read(result)


def _median(shape: Shape, results: list[Result]) -> Measured:
    def of(part: str) -> float:
        return statistics.median(_all(result.seconds[part] for result in results))

    first = results[0]
    return Measured(
        shape=shape,
        seconds={part: of(part) for part in first.seconds},
        windows=first.windows,
        growth=min(result.growth for result in results),
        versions=first.versions,
    )


def _all(lists: Iterable[list[float]]) -> list[float]:
    return [value for values in lists for value in values]
