"""Stage `quality`: whether the dataset is sound, as a page for people and as findings for programs."""

from __future__ import annotations

from rich.console import Console

from gogooku3 import paths
from gogooku3.config import Params
from gogooku3.pages.words import count
from gogooku3.quality.checks import judge, total
from gogooku3.quality.page import write
from gogooku3.quality.statistics import collect
from gogooku3.quotes.folder import read_report


def run(_params: Params) -> None:
    """Writes `reports/`; what is wrong with the data stops no stage, but is said."""
    surveyed = collect(paths.DATASET, read_report(paths.QUOTES))
    found = judge(surveyed)
    write(surveyed, found, paths.REPORTS)
    faults = total(found, "fault")
    if faults:
        Console(stderr=True, highlight=False).print(
            f"{count(faults, 'error')} in the dataset: see {paths.QUALITY_PAGE}"
        )
