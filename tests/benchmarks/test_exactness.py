"""The exactness matrix: promised rows that are equal, that differ, and excluded rows."""

from __future__ import annotations

from typing import get_args

from measures import clone
from measures.matrix import Row, markdown
from steps import ceilings, device_report

from gogooku3.config.numerics import Precision
from gogooku3.training.phases import PHASES

ROWS = [
    Row("rerun", "20 files, the same bytes", "x86-64-v3", True, True),
    Row("avx2 on EPYC", "4 of 4 differ", "not promised: another vendor", False, False),
    Row("2 cores", "1 of 20 differ: dvc.lock", "x86-64-v3", True, False),
    Row("GPU rerun", "no CUDA device", "the model of the GPU", True, None),
]


def test_only_a_difference_where_equal_bytes_are_promised_is_a_failure() -> None:
    assert [row.failed for row in ROWS] == [False, False, True, False]
    assert [row.verdict for row in ROWS] == ["same bytes", "excluded", "DIFFERS", "not run"]


def test_the_document_has_a_line_for_each_row_and_the_cost_of_each_instruction_set_as_a_ratio() -> None:
    document = markdown(ROWS, {"native": 0.5, "portable": 0.75}, "c0ffee", "qemu 8")
    assert "| rerun | same bytes | 20 files, the same bytes | x86-64-v3 |" in document
    assert "| 2 cores | **DIFFERS** | 1 of 20 differ: dvc.lock | x86-64-v3 |" in document
    assert "| avx2 on EPYC | excluded | 4 of 4 differ | not promised: another vendor |" in document
    assert "| GPU rerun | not run | no CUDA device | the model of the GPU |" in document
    assert "| `portable` | 0.750 | 1.50 |" in document
    assert "## Cost" not in markdown(ROWS, {}, "c0ffee", "qemu 8")


def test_the_benchmarks_measure_the_rate_of_every_precision() -> None:
    assert ceilings._PRECISIONS.keys() == {*get_args(Precision)}


def test_the_benchmarks_train_every_phase() -> None:
    assert tuple(PHASES) == clone.PHASES == device_report.PHASES
    assert {f"train.phases.{phase}.epochs" for phase in PHASES} <= clone.SETTINGS.keys()
