"""Counts what a training step costs on a GPU, without one: kernel launches, FLOPs, bytes, memory, on fake tensors.

    python benchmarks/gpu_counts.py [--tier TIER …] [--phase PHASE …] [--precision PRECISION] [--set KEY=VALUE …]
                                    [--counts FILE] [--estimate] [--out FILE]

Runs the step of each phase at the size and with the batch of each tier: forward, loss, backward, gradient clipping and
optimizer, on tensors of a CUDA device that have shapes and no values. A tensor of the CPU among them is an error.
Prints Markdown, and writes it to FILE; `--counts` writes the counts as text, in the format of
`tests/training/golden/gpu_counts.txt`. With `--estimate` it also counts validation, and estimates the minutes of a
whole training on some GPUs. Nothing is measured. With a CPU build of torch it needs g++.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from steps import fake_device

fake_device.install()

import torch  # noqa: E402
from measures.document import commit, paragraph, table  # noqa: E402
from measures.market import composed  # noqa: E402
from omegaconf import OmegaConf  # noqa: E402
from steps.counted import PART, Counts, epoch, step, validation  # noqa: E402
from steps.estimates import GPUS, seconds  # noqa: E402

from gogooku3.config import Params, parse  # noqa: E402
from gogooku3.training.phases import PHASES  # noqa: E402

_MINUTE = 60.0
_COLUMNS = ("launches", "operations", "flops", "read", "written", "peak", "transfers", "synchronisations")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tier", nargs="+", default=["tier1", "tier2"])
    parser.add_argument("--phase", nargs="+", choices=PHASES, default=list(PHASES))
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="overrides of the tiers' parameters")
    parser.add_argument("--counts", type=Path, help="write the counts to this file")
    parser.add_argument("--estimate", action="store_true", help="also estimate the minutes of a training; all phases")
    parser.add_argument("--out", type=Path, help="also write the Markdown to this file")
    options = parser.parse_args()
    overrides = ["numerics.device=cuda", f"numerics.precision={options.precision}", *options.set]
    phases = list(PHASES) if options.estimate else options.phase
    every = {tier: parameters([f"tier={tier}", *overrides]) for tier in options.tier}
    counts = {tier: {phase: step(params, phase) for phase in phases} for tier, params in every.items()}
    if options.counts:
        options.counts.write_text(lines(counts, options.precision), encoding="utf-8")
    parts = [_head(overrides), _aims(counts), _table(counts)]
    if options.estimate:
        parts.append(_minutes(every, counts, options.precision))
    text = "\n\n".join(parts) + "\n"
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")


def parameters(overrides: list[str]) -> Params:
    return parse(OmegaConf.to_container(OmegaConf.create(composed(overrides))))


def lines(counts: Mapping[str, Mapping[str, Counts]], precision: str) -> str:
    """The counts as text: the release of torch, and a line for each tier and phase."""
    heads = ("tier", "precision", "phase", *_COLUMNS)
    rows = [
        (tier, precision, phase, *(str(getattr(found, column)) for column in _COLUMNS))
        for tier, phases in counts.items()
        for phase, found in phases.items()
    ]
    release = ".".join(torch.__version__.split(".")[:2])
    return "".join(" ".join(row) + "\n" for row in (("torch", f"{release}."), heads, *rows))


def _head(overrides: Sequence[str]) -> str:
    return "# Cost of a training step on a GPU, counted without one\n\n" + paragraph(
        f"By `benchmarks/gpu_counts.py` at commit {commit()}, with torch {torch.__version__} on fake tensors."
        f" Parameters: `{' '.join(overrides)}`. Nothing was measured on a GPU."
    )


def _aims(counts: Mapping[str, Mapping[str, Counts]]) -> str:
    every = [(f"{tier}, {phase}", found) for tier, phases in counts.items() for phase, found in phases.items()]
    rows = []
    for label, aim, unit, value in (
        ("moved per 1,024 samples", 6.0, "GB", lambda found: _moved(found) / found.samples * 1024 / 1e9),
        ("launches per step", 2000.0, "", lambda found: found.launches),
        ("peak memory", 40.0, "GB", lambda found: found.peak / 1e9),
    ):
        where, largest = max(((name, value(found)) for name, found in every), key=lambda each: each[1])
        met = "yes" if largest <= aim else f"**no**, {largest / aim:.1f} times"
        rows.append((label, f"≤ {aim:,.0f} {unit}", f"{largest:,.0f} {unit} ({where})", met))
    text = paragraph("The largest value of all steps against its aim. The aim of memory is for tier 1.")
    return f"## Aims\n\n{text}\n\n{table(('', 'aim', 'counted', 'met'), rows)}"


def _table(counts: Mapping[str, Mapping[str, Counts]]) -> str:
    head = (
        "tier",
        "phase",
        "samples",
        "stocks",
        "launches",
        "operations",
        "TFLOP",
        "GB read",
        "GB written",
        "GB per 1,024 samples",
        "peak GB",
        "transfers",
        "synchronisations",
    )
    rows = [
        (
            tier,
            phase,
            f"{found.samples:,}",
            f"{found.stocks:,}",
            f"{found.launches:,}",
            f"{found.operations:,}",
            f"{found.flops / 1e12:.2f}",
            f"{found.read / 1e9:.1f}",
            f"{found.written / 1e9:.1f}",
            f"{_moved(found) / found.samples * 1024 / 1e9:.1f}",
            f"{found.peak / 1e9:.1f}",
            str(found.transfers),
            str(found.synchronisations),
        )
        for tier, phases in counts.items()
        for phase, found in phases.items()
    ]
    text = paragraph(
        "One step of each phase. `stocks` includes the neighbours of the batch. FLOPs are those of matrix products."
        " Memory is that of all tensors, without the panel, kernels' workspaces and fragmentation. Transfers are copies"
        " between CPU and GPU within the step, synchronisations values that Python waits for."
    )
    return f"## Counts\n\n{text}\n\n{table(head, rows)}"


def _moved(found: Counts) -> int:
    return found.read + found.written


def _minutes(every: Mapping[str, Params], counts: Mapping[str, Mapping[str, Counts]], precision: str) -> str:
    precisions = ("float32", "tf32") if precision == "float32" else (precision,)
    rows = []
    for tier, params in every.items():
        steps, blocks = epoch(params)
        validated = {phase: validation(params, phase) for phase in PHASES}
        for used in precisions:
            cells = []
            for gpu in GPUS.values():
                training = validating = 0.0
                for phase, found in counts[tier].items():
                    epochs = getattr(params.train.phases, phase).epochs
                    training += epochs * steps * seconds(found.rows, gpu, used) / _MINUTE
                    validating += (epochs + 1) * blocks * PART * seconds(validated[phase].rows, gpu, used) / _MINUTE
                cells.append(f"{training:.0f} + {validating:.1f}")
            rows.append((tier, used, f"{steps:,}", *cells))
    text = paragraph("Estimated minutes of all phases: steps + validation. `steps` is those of an epoch.")
    return f"## Minutes\n\n{text}\n\n{table(('tier', 'precision', 'steps', *GPUS), rows)}"


if __name__ == "__main__":
    main()
