"""The figures of the training benchmark as Markdown: first what was aimed at, then each measurement."""

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
    """All that was measured."""

    runs: int
    compared: dict[Shape, dict[str, Measured]]
    """Every network at every shape."""
    fed: Measured
    """Ours at the largest shape, with blocks from disk."""
    stocks: int
    """Of the panel on disk."""

    @property
    def largest(self) -> Shape:
        return max(self.compared, key=lambda shape: shape.rows * shape.features)


def markdown(figures: Figures) -> str:
    """The whole document."""
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
        f" of {shape.stocks} stocks, hidden size {shape.hidden}, {shape.threads} threads, float32. Every network in"
        f" turn, each in a process of its own, {figures.runs} processes each; medians."
    )


def _aims(figures: Figures) -> str:
    rows = []
    for shape, found in figures.compared.items():
        peers = [found[name].per_second for name in PEERS if name in found]
        if peers:
            ratio = found["ours"].per_second / max(peers)
            what = f"a sample against the best peer's, {shape.features} features, {shape.window} sessions"
            rows.append((what, "≥ 20 ×", f"{ratio:.1f} ×", ratio >= 20))
    for name in ("ours", "ours, portable"):
        share = _achieved(figures.compared[figures.largest][name])["selection"]
        rows.append((f"selection block, of the matrix product's rate: {name}", "≥ 40 %", f"{share:.0%}", share >= 0.4))
    share = _input_share(figures)
    rows.append(("input pipeline, of a step", "< 5 %", f"{share:.1%}", share < 0.05))
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
    head = ("features", "sessions", "network", "samples a second", "time, of ours", "windows at once", "MiB a window")
    text = paragraph(
        "Forward, backward and optimizer step, dropout 0.1, the network's input in memory. A sample is a window: the"
        " last sessions of one stock. `ours` is the first phase's network with `numerics.instruction_set: native`, and"
        " `ours, portable` the same with `portable`; later phases add their blocks, neighbours being among the stocks"
        " of the batch. `ours, features in a loop` is the same function with an own module for each feature, checked to"
        " give the same scores. The peers' temporal fusion transformers have the same hidden size, heads and variables"
        " to a session, a decoder of one session with one known variable, and what they do not share with ours: every"
        " window's sessions embedded for that window alone. They run as they come, with every library and instruction"
        " of torch's, on pieces of the batch whose gradients add up, for the whole does not fit; memory is the growth"
        " of the resident set's peak in the first forward and backward pass."
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
    head = ("features", "sessions", "", "matrix product, GFLOP/s", "step", "selection", "selection's share of the step")
    text = paragraph(
        "Operations of the matrix products that a step needs, in relation to the time that it takes, as a share of what"
        f" one product of two matrices of {figures.largest.product:,} rows and columns reaches in the same process."
        " What is computed twice to save memory counts once, and all that is no matrix product counts as nothing but"
        " time."
    )
    return f"## Beside the ceiling\n\n{text}\n\n{table(head, rows)}"


def _inputs(figures: Figures) -> str:
    measured = figures.fed
    shape = measured.shape
    return "## Input pipeline\n\n" + paragraph(
        f"A block of {shape.sessions} sessions and the {shape.window - 1} before them, {shape.stocks} stocks out of"
        f" {figures.stocks:,} and {shape.features} features, cut from a panel on disk that the system has in memory:"
        f" {measured.seconds['cut'] * 1e3:.1f} ms, beside {measured.step * 1e3:,.0f} ms for the step that it is for:"
        f" {_input_share(figures):.1%} of both."
    )


def _input_share(figures: Figures) -> float:
    cut = figures.fed.seconds["cut"]
    return cut / (cut + figures.fed.step)


def _achieved(measured: Measured) -> dict[str, float]:
    """Rates as shares of the matrix product's."""
    ceiling = _rate(operations.product(measured.shape), measured.seconds["product"])
    step = _rate(operations.step(measured.shape), measured.step)
    selection = _rate(operations.selection(measured.shape), measured.seconds["selection"])
    return {"step": step / ceiling, "selection": selection / ceiling}


def _rate(number: int, seconds: float) -> float:
    """Billions of operations a second."""
    return number / seconds / 1e9
