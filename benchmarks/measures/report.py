"""The figures of the dataset's benchmark as Markdown: first what was aimed at, then each measurement."""

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
    """All that was measured; medians over the runs."""

    runs: int
    stocks: int
    sessions: int
    scales: dict[str, Built]
    """By the name of the scale."""
    whole: Built
    """The one of full size."""
    floor: dict[str, float]
    """`wall` and `cpu` seconds."""
    shares: dict[str, float]
    """Of each part in the time of the whole."""
    peers: Comparison

    @property
    def per_row(self) -> dict[str, float]:
        """Processor seconds of a row at each scale, as multiples of the whole's."""
        of_whole = self.whole.cost.cpu / self.whole.rows
        return {name: built.cost.cpu / built.rows / of_whole for name, built in self.scales.items()}


def markdown(figures: Figures, commit: str) -> str:
    """The whole document."""
    parts = (_head(figures, commit), _aims(figures), _size(figures), _where(figures), _scales(figures), _peers(figures))
    return "\n\n".join(parts) + "\n"


def _head(figures: Figures, commit: str) -> str:
    names = ("numpy", "polars", "pyarrow")
    versions = {"Python": platform.python_version()} | {name: version(name) for name in names} | figures.peers.versions
    return f"# The dataset, {date.today()}\n\n" + paragraph(
        f"By `benchmarks/dataset.py` at commit {commit}, on {machine()};"
        f" {', '.join(f'{name} {number}' for name, number in versions.items())}."
        f" Medians of {figures.runs} runs in turn."
    )


def _aims(figures: Figures) -> str:
    whole, rows = figures.whole, []
    for peer, aim in (("pandas", 20), ("pandas, sorted", 20), ("qlib", 3)):
        if peer in figures.peers.alone:
            found = statistics.geometric_mean(figures.peers.ratios(peer))
            rows.append((f"a feature against {peer}, each on one core", f"≥ {aim} ×", f"{found:.1f} ×", found >= aim))
    above = whole.cost.wall / figures.floor["wall"]
    rows.append(("above the floor", "≤ 4 ×", f"{above:.2f} ×", above <= 4))
    apart = max(abs(ratio - 1) for ratio in figures.per_row.values())
    rows.append(("cost of a row at other sizes, largest difference", "≤ 15 %", f"{apart:.0%}", apart <= 0.15))
    peak = max(built.cost.peak for built in figures.scales.values()) / GIB
    rows.append(("peak memory at any size", "< 6 GiB", f"{peak:.2f} GiB", peak < 6))
    largest = max(figures.scales.values(), key=lambda built: built.rows)
    grown = largest.cost.peak / whole.cost.peak
    rows.append(
        (f"peak memory of {largest.rows / whole.rows:.1f} times the rows", "≤ 1.15 ×", f"{grown:.2f} ×", grown <= 1.15)
    )
    return aims(rows)


def _size(figures: Figures) -> str:
    whole, floor = figures.whole, figures.floor
    values = whole.rows * whole.features
    rows = (
        ("bars", f"{whole.rows:,} of {figures.stocks:,} stocks in {figures.sessions:,} sessions"),
        ("features", f"{whole.features}"),
        ("wall time", f"{whole.cost.wall:.1f} s"),
        ("processor time", f"{whole.cost.cpu:.1f} s, {whole.cost.cpu / values * 1e9:.0f} ns a value"),
        ("peak memory of all processes", f"{whole.cost.peak / GIB:.2f} GiB"),
        ("rows × features in a second", f"{values / whole.cost.wall / 1e6:.1f} million"),
        ("bytes out", f"{whole.size:,}"),
        ("wall time of the floor", f"{floor['wall']:.1f} s; {whole.cost.wall / floor['wall']:.2f} × as long"),
        ("processor time of the floor", f"{floor['cpu']:.1f} s; {whole.cost.cpu / floor['cpu']:.2f} × as long"),
    )
    text = paragraph(
        "The stage `dataset` from its start to its end. The floor reads the bars, and writes and hashes the same bytes"
        " in as many processes, with nothing computed."
    )
    return f"## Full size\n\n{text}\n\n{table(('', ''), rows)}"


def _where(figures: Figures) -> str:
    rows = [(part, f"{share:.1%}") for part, share in figures.shares.items()]
    text = "Of the same build in one process on one core, under cProfile."
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
    head = ("size", "rows", "wall s", "processor s", "processor µs a row", "of the whole's", "peak GiB")
    text = paragraph(
        "Half and twice the sessions of all stocks; a tenth and half of the stocks over all sessions, for a tenth of"
        " the sessions is shorter than the longest lookback."
    )
    return f"## Cost of a row\n\n{text}\n\n{table(head, rows)}"


def _peers(figures: Figures) -> str:
    found, peers = figures.peers, [engine for engine in figures.peers.alone if engine != "ours"]
    _, sessions, stocks = found.panel.whole_DTS.shape
    head = ["feature", "ours ns", *(cell for peer in peers for cell in (f"{peer} ns", "×"))]

    def row(name: str, seconds: dict[str, float]) -> list[str]:
        nanoseconds = {engine: took / (sessions * stocks) * 1e9 for engine, took in seconds.items()}
        ratios = {peer: nanoseconds[peer] / nanoseconds["ours"] for peer in peers}
        of_peers = [cell for peer in peers for cell in (f"{nanoseconds[peer]:.0f}", f"{ratios[peer]:.1f}")]
        return [name, f"{nanoseconds['ours']:.0f}", *of_peers]

    rows = [
        row(f"`{definition.name}`", {engine: seconds[place] for engine, seconds in found.alone.items()})
        for place, definition in enumerate(DEFINITIONS)
    ]
    rows.append(row("all in one go, each", {name: took / len(DEFINITIONS) for name, took in found.together.items()}))
    for name, summary in (("geometric mean of ratios", statistics.geometric_mean), ("least", min), ("largest", max)):
        rows.append([name, "", *(cell for peer in peers for cell in ("", f"{summary(found.ratios(peer)):.1f}"))])
    differences = ", ".join(f"{max(found.difference[peer]):.0e} ({peer})" for peer in peers)
    text = paragraph(
        f"{len(DEFINITIONS)} features of {stocks} stocks over {sessions:,} sessions: processor nanoseconds for each"
        " stock and session, on one core, from bars in memory to values in memory, before stocks are set beside"
        " each other. `pandas` is `groupby.rolling` on bars by date and code, as they are stored; `pandas, sorted`"
        " the same on bars by code and date with codes as categories; `qlib` its expression engine alone, without"
        " reading its store and joining its results. Largest difference from ours, in standard deviations of the"
        " feature, where the whole"
        f" lookback has bars: {differences}."
    )
    return f"## Beside pandas and qlib\n\n{text}\n\n{table(head, rows)}"
