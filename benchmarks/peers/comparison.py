"""Runs the engines interleaved on one panel, compares their values with ours, and collects the timings."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gogooku3.dataset.elementwise import Bools
from gogooku3.features.market import Market
from gogooku3.features.registry import select
from gogooku3.features.rolling.windows import known_count
from peers.definitions import DEFINITIONS
from peers.panel import FIELDS, Panel, Result

ENGINES = {
    "ours": ("peers.ours",),
    "pandas": ("peers.rolling_pandas",),
    "pandas, sorted": ("peers.rolling_pandas", "sorted"),
    "qlib": ("peers.expressions_qlib",),
}
"""Module of each engine, and its arguments after panel and result."""
TOLERANCE = {"pandas": 1e-6, "pandas, sorted": 1e-6, "qlib": 1e-3}
"""Largest difference from ours, in standard deviations of the feature. qlib takes logarithms in float32."""
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Comparison:
    """Median CPU times of each engine over the runs, and differences from our values."""

    panel: Panel
    alone: dict[str, list[float]]
    """Seconds of each definition computed separately, by engine."""
    together: dict[str, float]
    """Seconds of all definitions computed together."""
    difference: dict[str, list[float]]
    """By peer: largest difference from ours for each definition, in standard deviations of the feature."""
    versions: dict[str, str]

    def ratios(self, peer: str) -> list[float]:
        """Run time of each definition relative to ours."""
        return [theirs / ours for theirs, ours in zip(self.alone[peer], self.alone["ours"], strict=True)]


def panel_of(market: Market) -> Panel:
    """The bars of a market, adjusted for splits."""
    lookback = {feature.name: feature.lookback for feature in select("full")}
    windows = [lookback[definition.name] for definition in DEFINITIONS]
    return Panel(
        sessions=market.sessions,
        codes=np.array(market.codes),
        fields_FTS=np.stack([getattr(market, f"{name}_TS") for name in FIELDS]).astype(np.float32),
        whole_DTS=np.stack([_whole(market, window) for window in windows]),
    )


def _whole(market: Market, window: int) -> Bools:
    """True if the stock has a bar in every session of the window that ends at the session."""
    whole_TS = np.zeros(market.close_TS.shape, np.bool_)
    whole_TS[window - 1 :] = known_count(market.close_TS, window) == window
    return whole_TS


def compare(panel: Panel, folder: Path, runs: int, qlib_python: Path | None) -> Comparison:
    """Runs every engine `runs` times, interleaved; qlib only if its interpreter is given.

    Raises:
        SystemExit: an engine failed, or gives other values than ours.
    """
    panel.write(folder / "panel")
    interpreters = dict.fromkeys(ENGINES, Path(sys.executable)) | {"qlib": qlib_python}
    engines = {engine: interpreter for engine, interpreter in interpreters.items() if interpreter is not None}
    results: dict[str, list[Result]] = {engine: [] for engine in engines}
    for run in range(runs):
        for engine, interpreter in engines.items():
            result = folder / f"{engine}-{run}"
            _run(engine, interpreter, folder / "panel", result)
            results[engine].append(Result.read(result))
            took = results[engine][-1].together
            print(f"run {run + 1} of {runs}: {engine}: {took:.1f} s", file=sys.stderr, flush=True)
    ours = results["ours"][0]
    return Comparison(
        panel=panel,
        alone={engine: _medians([result.alone for result in results_of]) for engine, results_of in results.items()},
        together={
            engine: statistics.median(result.together for result in results_of)
            for engine, results_of in results.items()
        },
        difference={
            engine: differences(engine, panel, results_of[0], ours)
            for engine, results_of in results.items()
            if engine != "ours"
        },
        versions={name: number for results_of in results.values() for name, number in results_of[0].versions.items()},
    )


def differences(peer: str, panel: Panel, theirs: Result, ours: Result) -> list[float]:
    """Largest difference of each definition, over values with a complete lookback.

    Raises:
        SystemExit: it exceeds the tolerance, or only one of two values is NaN.
    """
    largest = []
    for index, definition in enumerate(DEFINITIONS):
        whole_TS = panel.whole_DTS[index]
        largest.append(_largest(theirs.values_DTS[index][whole_TS], ours.values_DTS[index][whole_TS]))
        if not largest[-1] <= TOLERANCE[peer]:
            raise SystemExit(
                f"{definition.name}: {peer} and ours differ by {largest[-1]:.1e} of its standard deviation"
            )
    return largest


def _largest(theirs: npt.NDArray[np.floating], ours: npt.NDArray[np.floating]) -> float:
    """Largest difference in standard deviations of ours; infinite if only one of two values is NaN."""
    if not np.array_equal(np.isnan(theirs), np.isnan(ours)):
        return np.inf
    return float(np.nanmax(np.abs(theirs - ours)) / np.nanstd(ours))


def _medians(runs: list[list[float]]) -> list[float]:
    return [statistics.median(seconds) for seconds in zip(*runs, strict=True)]


def _run(engine: str, interpreter: Path, panel: Path, result: Path) -> None:
    """Runs an engine in a single-threaded process."""
    threads = (
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "POLARS_MAX_THREADS",
    )
    paths = [_ROOT / "benchmarks", *([] if engine == "qlib" else [_ROOT / "src"])]
    environment = os.environ | dict.fromkeys(threads, "1") | {"PYTHONPATH": os.pathsep.join(map(str, paths))}
    module, *arguments = ENGINES[engine]
    command = [interpreter, "-m", module, panel, result, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{engine} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
