"""The training benchmark as Markdown: targets first, then each measurement."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from datetime import date

from measures.document import aims, commit, machine, paragraph, table

from steps import operations
from steps.comparison import PEERS, Measured
from steps.shape import Shape

_MIB = 1 << 20


@dataclass(frozen=True)
class Figures:
    """All measurements."""

    runs: int
    compared: dict[Shape, dict[str, Measured]]
    """Every network at every shape."""
    fed: Measured
    """Our network at the largest shape, with blocks from disk."""
    stocks: int
    """Stocks of the panel on disk."""

    @property
    def largest(self) -> Shape:
        return max(self.compared, key=lambda shape: shape.rows * shape.features)


def markdown(figures: Figures) -> str:
    """The document."""
    parts = (_head(figures), _aims(figures), _networks(figures), _ceiling(figures), _inputs(figures))
    return "\n\n".join(parts) + "\n"


def _head(figures: Figures) -> str:
    versions = {"Python": platform.python_version()}
    for found in figures.compared.values():
        for measured in found.values():
            versions |= measured.versions
    shape = figures.largest
    return f"# Training steps, {date.today()}\n\n" + paragraph(
        f"By `benchmarks/training.py` at commit {commit()}, on {machine()};"
        f" {', '.join(f'{name} {number}' for name, number in versions.items())}. A batch is {shape.sessions} sessions"
        f" of {shape.stocks} stocks, hidden size {shape.hidden}, {shape.threads} threads, float32. Networks are"
        f" measured interleaved, in separate processes, {figures.runs} processes each; medians."
    )


def _aims(figures: Figures) -> str:
    rows = []
    for shape, found in figures.compared.items():
        peers = [found[name].per_second for name in PEERS if name in found]
        if peers:
            ratio = found["ours"].per_second / max(peers)
            label = f"samples per second, relative to the best peer, {shape.features} features, {shape.window} sessions"
            rows.append((label, "≥ 20 ×", f"{ratio:.1f} ×", ratio >= 20))
    for name in ("ours", "ours, portable"):
        share = _achieved(figures.compared[figures.largest][name])["selection"]
        rows.append(
            (f"selection block, share of the matrix product's FLOP/s: {name}", "≥ 40 %", f"{share:.0%}", share >= 0.4)
        )
    share = _input_share(figures)
    rows.append(("data loading, share of a step", "< 5 %", f"{share:.1%}", share < 0.05))
    return aims(rows)


def _networks(figures: Figures) -> str:
    rows = [
        (
            f"{shape.features}",
            f"{shape.window}",
            name,
            f"{measured.per_second:,.1f}",
            f"{measured.step / found['ours'].step:.2f}",
            f"{measured.windows:,}",
            f"{measured.memory / _MIB:.2f}",
        )
        for shape, found in figures.compared.items()
        for name, measured in found.items()
    ]
    head = (
        "features",
        "sessions",
        "network",
        "samples per second",
        "time, relative to ours",
        "windows per micro-batch",
        "MiB per window",
    )
    text = paragraph(
        "Forward, backward and optimizer step, dropout 0.1, input in memory. A sample is a window: the last sessions"
        " of one stock. `ours` is the first phase's network with `numerics.instruction_set: native`, and"
        " `ours, portable` the same with `portable`; later phases add their blocks, with neighbours within the"
        " batch. `ours, features in a loop` is the same function with a separate module per feature, checked to give"
        " the same scores. The peers' temporal fusion transformers have the same hidden size, heads and variables per"
        " session, and a decoder of one session with one known variable; unlike ours, they embed the sessions of every"
        " window separately. They run with PyTorch's defaults, with gradient accumulation over micro-batches because"
        " the full batch does not fit; memory is the growth of peak resident memory in the first forward and backward"
        " pass."
    )
    return f"## Networks\n\n{text}\n\n{table(head, rows)}"


def _ceiling(figures: Figures) -> str:
    rows = []
    for shape, found in figures.compared.items():
        for name in ("ours", "ours, portable"):
            measured, achieved = found[name], _achieved(found[name])
            rows.append(
                (
                    f"{shape.features}",
                    f"{shape.window}",
                    name,
                    f"{_rate(operations.product(shape), measured.seconds['product']):,.0f}",
                    *(f"{achieved[part]:.0%}" for part in ("step", "selection")),
                    f"{measured.seconds['selection'] / measured.step:.0%}",
                )
            )
    head = (
        "features",
        "sessions",
        "",
        "matrix product, GFLOP/s",
        "step",
        "selection",
        "share of selection in the step",
    )
    text = paragraph(
        "FLOP/s of a step, counting only matrix products, as a share of the FLOP/s of one product of two matrices with"
        f" {figures.largest.product:,} rows and columns in the same process. Recomputation to save memory is not"
        " counted."
    )
    return f"## Compared with peak FLOP/s\n\n{text}\n\n{table(head, rows)}"


def _inputs(figures: Figures) -> str:
    measured = figures.fed
    shape = measured.shape
    return "## Data loading\n\n" + paragraph(
        f"A block of {shape.sessions} sessions and the {shape.window - 1} before them, {shape.stocks} stocks out of"
        f" {figures.stocks:,} and {shape.features} features, read from a memory-mapped panel in the page cache:"
        f" {measured.seconds['cut'] * 1e3:.1f} ms, plus {measured.step * 1e3:,.0f} ms for the training step:"
        f" {_input_share(figures):.1%} of the sum."
    )


def _input_share(figures: Figures) -> float:
    cut = figures.fed.seconds["cut"]
    return cut / (cut + figures.fed.step)


def _achieved(measured: Measured) -> dict[str, float]:
    """FLOP/s as shares of the matrix product's."""
    ceiling = _rate(operations.product(measured.shape), measured.seconds["product"])
    step = _rate(operations.step(measured.shape), measured.step)
    selection = _rate(operations.selection(measured.shape), measured.seconds["selection"])
    return {"step": step / ceiling, "selection": selection / ceiling}


def _rate(number: int, seconds: float) -> float:
    """GFLOP/s."""
    return number / seconds / 1e9
