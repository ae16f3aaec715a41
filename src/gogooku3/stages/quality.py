"""Stage `quality`: data quality checks of the dataset, as an HTML page and as JSON findings."""

from __future__ import annotations

from rich.console import Console

from gogooku3 import paths
from gogooku3.config import Params
from gogooku3.pages.words import count
from gogooku3.quality.checks import judge, total
from gogooku3.quality.page import write
from gogooku3.quality.statistics import collect
from gogooku3.quotes.folder import read_oracle_summary, read_report


def run(_params: Params) -> None:
    """Writes `reports/`; faults of the data are printed, but do not fail the stage."""
    statistics = collect(paths.DATASET, read_report(paths.QUOTES), read_oracle_summary(paths.QUOTES))
    findings = judge(statistics)
    write(statistics, findings, paths.REPORTS)
    faults = total(findings, "fault")
    if faults:
        Console(stderr=True, highlight=False).print(
            f"{count(faults, 'error')} in the dataset: see {paths.QUALITY_PAGE}"
        )
