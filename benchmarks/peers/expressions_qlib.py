"""The definitions in qlib's expression engine: `python -m peers.expressions_qlib PANEL RESULT`.

Run by an interpreter that has `pyqlib`; it needs nothing of this project. Only the engine is timed: its operators on
series that its memory cache holds, one stock after the other, as its workers do. Reading its store and joining the
stocks to one frame are not.
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
    """Writes a panel as qlib keeps it: a calendar, a list of instruments, a file of float32 for each series."""
    days = [str(day) for day in panel.sessions]
    for name, lines in {
        "calendars/day.txt": days,
        "instruments/all.txt": [f"{code}\t{days[0]}\t{days[-1]}" for code in panel.codes],
    }.items():
        (folder / name).parent.mkdir()
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    for column, code in enumerate(panel.codes):
        place = folder / "features" / code.lower()
        place.mkdir(parents=True)
        for name, x_TS in zip(FIELDS, panel.fields_FTS, strict=True):
            # The first number says with which session of the calendar the series begins.
            np.concatenate([[0], x_TS[:, column]]).astype("<f4").tofile(place / f"{name}.day.bin")


def computed(panel: Panel, expressions: list[Expression]) -> tuple[npt.NDArray[np.float64], float]:
    """[D, T, S] values, and the seconds that they took."""
    fields = [ExpressionD.get_expression_instance(f"${name}") for name in FIELDS]
    span = (0, len(panel.sessions) - 1, "day")
    values_DTS = np.empty((len(expressions), *panel.fields_FTS.shape[1:]))
    took = 0.0
    for column, code in enumerate(panel.codes):
        H["f"].clear()
        for field in fields:
            field.load(code, *span)
        began = time.process_time()
        found = [expression.load(code, *span) for expression in expressions]
        took += time.process_time() - began
        for values_TS, values in zip(values_DTS, found, strict=True):
            values_TS[:, column] = values.to_numpy()
    return values_DTS, took


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
