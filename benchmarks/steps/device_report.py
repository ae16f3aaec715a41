"""The GPU benchmark as Markdown, for the finished parts."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import date
from typing import Any

from measures.document import GIB, aims, commit, machine, paragraph, table

PHASES = ("baseline", "adaptive_norm", "gat", "finetune")
_MINUTE = 60.0


def markdown(found: Mapping[str, Any], overrides: list[str]) -> str:
    """The document."""
    parts = [_head(found, overrides), _aims(found)]
    if "data" in found:
        parts.append(_data(found["data"]))
    if "selection" in found:
        parts.append(_selection(found["selection"]))
    for tier, prefix in _TIERS.items():
        if f"{prefix}train" in found:
            parts.append(_training(tier, found[f"{prefix}train"], found.get(f"{prefix}again")))
        if f"{prefix}steps" in found and "ceilings" in found:
            parts.append(_steps(tier, found[f"{prefix}steps"], found["ceilings"]))
    return "\n\n".join(parts) + "\n"


_TIERS = {"Tier 1": "", "Tier 2": "tier2-"}
"""Prefix of the names of each tier's parts."""


def _head(found: Mapping[str, Any], overrides: list[str]) -> str:
    device = found.get("ceilings", {}).get("device", "an unknown device")
    return f"# Training on one device, {date.today()}\n\n" + paragraph(
        f"By `benchmarks/gpu.py` at commit {commit()}, on {device} with {machine()}; Python"
        f" {platform.python_version()}, torch {found.get('ceilings', {}).get('torch', '?')}. Parameters:"
        f" `{' '.join(overrides)}`. Numerics probe: {', '.join(sorted(_probes(found))) or 'not run'}."
    )


def _probes(found: Mapping[str, Any]) -> set[str]:
    """Values of the numerics probe by precision, for `known_probes.json`."""
    parts = [found[f"{prefix}steps"] for prefix in _TIERS.values() if f"{prefix}steps" in found]
    return {f"{steps['probe']} ({steps['precision']})" for part in parts for steps in part.values()}


def _aims(found: Mapping[str, Any]) -> str:
    rows = []
    if "train" in found:
        phases = found["train"].values()
        seconds, epochs = (sum(phase[each] for phase in phases) for each in ("seconds", "epochs"))
        label = f"all {epochs} epochs of tier 1 on {_size(found.get('data'))}"
        rows.append((label, "< 5 min", f"{seconds / _MINUTE:.1f} min", seconds < 5 * _MINUTE))
    for part, label in (
        ("again", "tier 1 trained twice"),
        ("resume", "a phase killed and resumed from its checkpoint"),
        ("tier2-again", "tier 2 trained twice"),
    ):
        if part in found:
            rows.append((label, "the same bytes", *_bytes(found[part])))
    return aims(rows)


def _bytes(part: Mapping[str, Any]) -> tuple[str, bool]:
    """Result of a second training, and whether it meets the target."""
    differ, resumed = part["differ"], part.get("state", True)
    result = f"{len(differ)} files differ: {', '.join(differ[:3])}" if differ else "the same bytes"
    return result + ("" if resumed else ", but there was no checkpoint: it restarted"), resumed and not differ


def _size(data: Mapping[str, Any] | None) -> str:
    if data is None:
        return "a dataset of unknown size"
    return f"{data['rows']:,} rows of {data['stocks']:,} stocks"


def _data(data: Mapping[str, Any]) -> str:
    timings = ", ".join(f"`{stage}` took {seconds:.0f} s" for stage, seconds in data["seconds"].items())
    return "## Data\n\n" + paragraph(
        f"{_size(data)} over {data['sessions']:,} sessions, with {data['features']} features. {timings}."
    )


def _selection(found: Mapping[str, Any]) -> str:
    title = "## Variable selection: kernels and torch path"
    if "skipped" in found:
        return f"{title}\n\n" + paragraph(f"Not compared: {found['skipped']}.")
    rows = [
        (
            precision,
            *(f"{each[path]['error']:.1e}" for path in ("fused", "torch")),
            f"{each['same']} of {each['repeats']}",
            *(f"{each[path]['seconds'] * 1e3:.2f}" for path in ("fused", "torch")),
        )
        for precision, each in found["precisions"].items()
    ]
    head = ("precision", "error, kernels", "error, torch", "repeats with the same bytes", "ms, kernels", "ms, torch")
    text = paragraph(
        "Forward and backward pass of the feature networks at tier 1's size: 395 features, 4,800 rows, hidden size 64."
        " The error is the largest relative error of the value or of a gradient against float64, in the Euclidean norm."
    )
    return f"{title}\n\n{text}\n\n{table(head, rows)}"


def _training(tier: str, first: Mapping[str, Any], again: Mapping[str, Any] | None) -> str:
    rows = [
        (
            phase,
            f"{taken['epochs']}",
            f"{taken['seconds']:.0f}",
            f"{again['seconds'][phase]['seconds']:.0f}" if again else "",
            f"{taken['calls']}",
        )
        for phase, taken in first.items()
    ]
    seconds = sum(taken["seconds"] for taken in first.values())
    text = paragraph(
        "Wall seconds of each phase's stage: start, reading the panel, training, validation, writing. If a phase took"
        f" more than one call, each includes start and reading. Total: {seconds / _MINUTE:.1f} min."
    )
    return f"## {tier}: training\n\n{text}\n\n{table(('phase', 'epochs', 'seconds', 'seconds, again', 'calls'), rows)}"


def _steps(tier: str, phases: Mapping[str, Any], ceilings: Mapping[str, Any]) -> str:
    first, rows = next(iter(phases.values())), []
    ceiling = ceilings[first["precision"]]
    for phase, step in phases.items():
        seconds = step["seconds"]
        total = sum(seconds.values())
        rows.append(
            (
                phase,
                f"{step['stocks']:.0f}",
                f"{total * 1e3:.2f}",
                *(f"{seconds[each] / total:.1%}" for each in ("input", "gradient", "update")),
                f"{step['samples'] / total:,.0f}",
                f"{step['operations'] / total / 1e12:.2f} ({step['operations'] / total / ceiling:.0%})",
                f"{step['bytes'] / total / 1e9:,.0f} ({step['bytes'] / total / ceilings['copy']:.0%})",
                f"{step['peak'] / GIB:.2f}",
            )
        )
    head = (
        "phase",
        "stocks",
        "ms per step",
        "input",
        "gradient",
        "update",
        "samples per second",
        "TFLOP/s (of the peak)",
        "GB/s (of the peak)",
        "peak GiB",
    )
    text = paragraph(
        f"Medians of single steps, synchronised after each part; {first['parameters'] / 1e6:.2f} million parameters in"
        f" the first phase, {first['steps']:,} steps per epoch. `stocks` includes the neighbours of the batch. TFLOP/s"
        " counts the step's matrix products, against a large product in"
        f" the same precision ({first['precision']}: {ceiling / 1e12:.1f} TFLOP/s); GB/s counts the bytes that its"
        " operations read and write, without any cache, against a large copy"
        f" ({ceilings['copy'] / 1e9:,.0f} GB/s)."
    )
    return f"## {tier}: steps\n\n{text}\n\n{table(head, rows)}"
