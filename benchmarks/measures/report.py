"""The dataset benchmark as Markdown: targets first, then each measurement."""

from __future__ import annotations

import platform
import statistics
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version

from peers.comparison import Comparison
from peers.definitions import DEFINITIONS

from measures.document import GIB, aims, machine, paragraph, table
from measures.market import Built


@dataclass(frozen=True)
class Figures:
    """All measurements; medians over the runs."""

    runs: int
    stocks: int
    sessions: int
    scales: dict[str, Built]
    """By scale."""
    full: Built
    """The build at full size."""
    floor: dict[str, float]
    """`wall` and `cpu` seconds."""
    shares: dict[str, float]
    """Share of each part in the run time at full size."""
    peers: Comparison

    @property
    def per_row(self) -> dict[str, float]:
        """CPU seconds per row at each scale, relative to full size."""
        full_cost = self.full.cost.cpu / self.full.rows
        return {name: built.cost.cpu / built.rows / full_cost for name, built in self.scales.items()}


def markdown(figures: Figures, commit: str) -> str:
    """The document."""
    parts = (_head(figures, commit), _aims(figures), _size(figures), _where(figures), _scales(figures), _peers(figures))
    return "\n\n".join(parts) + "\n"


def _head(figures: Figures, commit: str) -> str:
    names = ("numpy", "polars", "pyarrow")
    versions = {"Python": platform.python_version()} | {name: version(name) for name in names} | figures.peers.versions
    return f"# The dataset, {date.today()}\n\n" + paragraph(
        f"By `benchmarks/dataset.py` at commit {commit}, on {machine()};"
        f" {', '.join(f'{name} {number}' for name, number in versions.items())}."
        f" Medians of {figures.runs} interleaved runs."
    )


def _aims(figures: Figures) -> str:
    full, rows = figures.full, []
    for peer, aim in (("pandas", 20), ("pandas, sorted", 20), ("qlib", 3)):
        if peer in figures.peers.alone:
            speedup = statistics.geometric_mean(figures.peers.ratios(peer))
            rows.append(
                (f"a feature against {peer}, each on one core", f"≥ {aim} ×", f"{speedup:.1f} ×", speedup >= aim)
            )
    ratio = full.cost.wall / figures.floor["wall"]
    rows.append(("wall time, relative to the floor", "≤ 4 ×", f"{ratio:.2f} ×", ratio <= 4))
    deviation = max(abs(relative - 1) for relative in figures.per_row.values())
    rows.append(("cost per row at other sizes, largest difference", "≤ 15 %", f"{deviation:.0%}", deviation <= 0.15))
    peak = max(built.cost.peak for built in figures.scales.values()) / GIB
    rows.append(("peak memory at any size", "< 6 GiB", f"{peak:.2f} GiB", peak < 6))
    largest = max(figures.scales.values(), key=lambda built: built.rows)
    grown = largest.cost.peak / full.cost.peak
    rows.append(
        (f"peak memory of {largest.rows / full.rows:.1f} times the rows", "≤ 1.15 ×", f"{grown:.2f} ×", grown <= 1.15)
    )
    return aims(rows)


def _size(figures: Figures) -> str:
    full, floor = figures.full, figures.floor
    values = full.rows * full.features
    rows = (
        ("bars", f"{full.rows:,} of {figures.stocks:,} stocks in {figures.sessions:,} sessions"),
        ("features", f"{full.features}"),
        ("wall time", f"{full.cost.wall:.1f} s"),
        ("CPU time", f"{full.cost.cpu:.1f} s, {full.cost.cpu / values * 1e9:.0f} ns per value"),
        ("peak memory of all processes", f"{full.cost.peak / GIB:.2f} GiB"),
        ("rows × features per second", f"{values / full.cost.wall / 1e6:.1f} million"),
        ("bytes written", f"{full.size:,}"),
        ("wall time of the floor", f"{floor['wall']:.1f} s; {full.cost.wall / floor['wall']:.2f} × as long"),
        ("CPU time of the floor", f"{floor['cpu']:.1f} s; {full.cost.cpu / floor['cpu']:.2f} × as long"),
    )
    text = paragraph(
        "The stage `dataset` from start to end. The floor reads the bars, and writes and hashes the same bytes with the"
        " same number of processes, without computation."
    )
    return f"## Full size\n\n{text}\n\n{table(('', ''), rows)}"


def _where(figures: Figures) -> str:
    rows = [(part, f"{share:.1%}") for part, share in figures.shares.items()]
    text = "The same build in one process on one core, profiled with cProfile."
    return f"## Where the time goes\n\n{text}\n\n{table(('part', 'share'), rows)}"


def _scales(figures: Figures) -> str:
    rows = [
        (
            name,
            f"{built.rows:,}",
            f"{built.cost.wall:.1f}",
            f"{built.cost.cpu:.1f}",
            f"{built.cost.cpu / built.rows * 1e6:.1f}",
            f"{figures.per_row[name]:.2f}",
            f"{built.cost.peak / GIB:.2f}",
        )
        for name, built in figures.scales.items()
    ]
    head = ("size", "rows", "wall s", "CPU s", "CPU µs per row", "relative", "peak GiB")
    text = paragraph(
        "Half and twice the sessions of all stocks; a tenth and half of the stocks over all sessions, because a tenth"
        " of the sessions is shorter than the longest lookback."
    )
    return f"## Cost per row\n\n{text}\n\n{table(head, rows)}"


def _peers(figures: Figures) -> str:
    comparison, peers = figures.peers, [engine for engine in figures.peers.alone if engine != "ours"]
    _, sessions, stocks = comparison.panel.whole_DTS.shape
    head = ["feature", "ours ns", *(cell for peer in peers for cell in (f"{peer} ns", "×"))]

    def row(name: str, seconds: dict[str, float]) -> list[str]:
        nanoseconds = {engine: time / (sessions * stocks) * 1e9 for engine, time in seconds.items()}
        ratios = {peer: nanoseconds[peer] / nanoseconds["ours"] for peer in peers}
        of_peers = [cell for peer in peers for cell in (f"{nanoseconds[peer]:.0f}", f"{ratios[peer]:.1f}")]
        return [name, f"{nanoseconds['ours']:.0f}", *of_peers]

    rows = [
        row(f"`{definition.name}`", {engine: seconds[index] for engine, seconds in comparison.alone.items()})
        for index, definition in enumerate(DEFINITIONS)
    ]
    rows.append(
        row("all together, each", {name: time / len(DEFINITIONS) for name, time in comparison.together.items()})
    )
    for name, summary in (("geometric mean of ratios", statistics.geometric_mean), ("smallest", min), ("largest", max)):
        rows.append([name, "", *(cell for peer in peers for cell in ("", f"{summary(comparison.ratios(peer)):.1f}"))])
    differences = ", ".join(f"{max(comparison.difference[peer]):.0e} ({peer})" for peer in peers)
    text = paragraph(
        f"{len(DEFINITIONS)} features of {stocks} stocks over {sessions:,} sessions: CPU nanoseconds per stock and"
        " session, on one core, from bars in memory to values in memory, without the cross-sectional step. `pandas` is"
        " `groupby.rolling` on bars by date and code, as they are stored; `pandas, sorted` the same on bars by code and"
        " date with codes as categories; `qlib` its expression engine alone, without reading its store and joining its"
        " results. Largest difference from ours, in standard deviations of the feature, where the lookback is complete:"
        f" {differences}."
    )
    return f"## Compared with pandas and qlib\n\n{text}\n\n{table(head, rows)}"
