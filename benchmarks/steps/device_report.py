"""The figures of the GPU benchmark as Markdown, of the parts that are made."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import date
from typing import Any

from measures.document import GIB, aims, commit, machine, paragraph, table

PHASES = ("baseline", "adaptive_norm", "gat", "finetune")
_MINUTE = 60.0


def markdown(found: Mapping[str, Any], overrides: list[str]) -> str:
    """The whole document."""
    parts = [_head(found, overrides), _aims(found)]
    if "train" in found:
        parts.append(_training(found))
    if "ceilings" in found:
        parts += [_steps(found, part, title) for part, title in _STEPS.items() if part in found]
    return "\n\n".join(parts) + "\n"


_STEPS = {"steps": "Tier 1's steps", "tier2": "Tier 2's steps"}


def _head(found: Mapping[str, Any], overrides: list[str]) -> str:
    device = found.get("ceilings", {}).get("device", "a device that was not asked for its name")
    return f"# Training on one device, {date.today()}\n\n" + paragraph(
        f"By `benchmarks/gpu.py` at commit {commit()}, on {device} beside {machine()}; Python"
        f" {platform.python_version()}, torch {found.get('ceilings', {}).get('torch', '?')}. Parameters:"
        f" `{' '.join(overrides)}`."
    )


def _aims(found: Mapping[str, Any]) -> str:
    rows = []
    if "train" in found:
        seconds = sum(phase["seconds"] for phase in found["train"].values())
        rows.append(("all phases of tier 1", "< 5 min", f"{seconds / _MINUTE:.1f} min", seconds < 5 * _MINUTE))
    for part, what in (("again", "trained twice"), ("resume", "a phase killed and taken up again")):
        if part in found:
            differ = found[part]["differ"]
            told = f"{len(differ)} files differ: {', '.join(differ[:3])}" if differ else "the same bytes"
            rows.append((what, "the same bytes", told, not differ))
    return aims(rows)


def _training(found: Mapping[str, Any]) -> str:
    again = found.get("again", {}).get("seconds", {})
    rows = []
    for phase, taken in found["train"].items():
        second = f"{again[phase]['seconds']:.0f}" if phase in again else ""
        rows.append((phase, f"{taken['seconds']:.0f}", second, f"{taken['calls']}"))
    text = paragraph(
        "Wall seconds of each phase's stage: starting, reading the panel, training, validating, writing. Where a phase"
        " took more than one call, each started and read anew."
    )
    made = found.get("data", {})
    if made:
        text += "\n\n" + paragraph(
            ", ".join(f"`{stage}` took {seconds:.0f} s" for stage, seconds in made.items()) + "."
        )
    head = ("phase", "seconds", "seconds, again", "calls")
    return f"## Training\n\n{text}\n\n{table(head, rows)}"


def _steps(found: Mapping[str, Any], part: str, title: str) -> str:
    ceilings, rows = found["ceilings"], []
    for phase, step in found[part].items():
        seconds = step["seconds"]
        whole = sum(seconds.values())
        rows.append(
            (
                phase,
                f"{step['stocks']:.0f}",
                f"{whole * 1e3:.2f}",
                *(f"{seconds[each] / whole:.1%}" for each in ("input", "gradient", "update")),
                f"{step['samples'] / whole:,.0f}",
                f"{step['operations'] / whole / 1e12:.2f} ({step['operations'] / whole / ceilings['float32']:.0%})",
                f"{step['bytes'] / whole / 1e9:,.0f} ({step['bytes'] / whole / ceilings['copy']:.0%})",
                f"{step['peak'] / GIB:.2f}",
            )
        )
    head = (
        "phase",
        "stocks",
        "ms a step",
        "input",
        "gradient",
        "update",
        "samples a second",
        "TFLOP/s (of the ceiling)",
        "GB/s (of the ceiling)",
        "peak GiB",
    )
    first = next(iter(found[part].values()))
    text = paragraph(
        f"Medians of single steps with a stop after each part, {first['parameters'] / 1e6:.2f} million parameters in"
        f" the first phase, {first['steps']:,} steps to its epoch. `stocks` are those of a batch with the neighbours"
        " that join it. TFLOP/s are the operations that the step's matrix products need, against a large product of"
        f" float32 ({ceilings['float32'] / 1e12:.1f} TFLOP/s; bfloat16 {ceilings['bfloat16'] / 1e12:.1f}); GB/s are"
        " what its operations read and write, as if nothing stayed in a cache, against a large copy"
        f" ({ceilings['copy'] / 1e9:,.0f} GB/s)."
    )
    return f"## {title}\n\n{text}\n\n{table(head, rows)}"
