"""The definitions with qlib's expression engine: `python -m peers.expressions_qlib PANEL RESULT`.

Runs in an interpreter with `pyqlib`; does not import this project. Only the engine is timed: its operators on series in
its memory cache, stock by stock, as in its workers. Reading its store and joining the stocks to one frame are not
timed.
"""

from __future__ import annotations

import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import qlib
from qlib.data.base import Expression
from qlib.data.cache import H
from qlib.data.data import ExpressionD

from peers.definitions import DEFINITIONS
from peers.panel import FIELDS, Panel, Result


def store(panel: Panel, folder: Path) -> None:
    """Writes a panel in qlib's store format: a calendar, a list of instruments, a float32 file per series."""
    days = [str(day) for day in panel.sessions]
    for name, lines in {
        "calendars/day.txt": days,
        "instruments/all.txt": [f"{code}\t{days[0]}\t{days[-1]}" for code in panel.codes],
    }.items():
        (folder / name).parent.mkdir()
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    for column, code in enumerate(panel.codes):
        target = folder / "features" / code.lower()
        target.mkdir(parents=True)
        for name, x_TS in zip(FIELDS, panel.fields_FTS, strict=True):
            # The first number is the index of the series' first session in the calendar.
            np.concatenate([[0], x_TS[:, column]]).astype("<f4").tofile(target / f"{name}.day.bin")


def computed(panel: Panel, expressions: list[Expression]) -> tuple[npt.NDArray[np.float64], float]:
    """[D, T, S] values, and their CPU seconds."""
    fields = [ExpressionD.get_expression_instance(f"${name}") for name in FIELDS]
    span = (0, len(panel.sessions) - 1, "day")
    values_DTS = np.empty((len(expressions), *panel.fields_FTS.shape[1:]))
    seconds = 0.0
    for column, code in enumerate(panel.codes):
        H["f"].clear()
        for field in fields:
            field.load(code, *span)
        began = time.process_time()
        series = [expression.load(code, *span) for expression in expressions]
        seconds += time.process_time() - began
        for values_TS, values in zip(values_DTS, series, strict=True):
            values_TS[:, column] = values.to_numpy()
    return values_DTS, seconds


def main(panel: str, result: str) -> None:
    read = Panel.read(Path(panel))
    with tempfile.TemporaryDirectory(dir=Path(result).parent) as folder:
        store(read, Path(folder))
        qlib.init(provider_uri=folder, kernels=1, expression_cache=None, dataset_cache=None, logging_level=40)
        expressions = [ExpressionD.get_expression_instance(definition.qlib) for definition in DEFINITIONS]
        alone = [computed(read, [expression])[1] for expression in expressions]
        values_DTS, together = computed(read, expressions)
    versions = {"pyqlib": version("pyqlib"), "pandas under pyqlib": version("pandas")}
    Result(values_DTS, alone, together, versions).write(Path(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
