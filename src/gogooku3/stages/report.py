"""Stage `report`: the HTML page with the results of the model."""

from __future__ import annotations

from pathlib import Path

from gogooku3 import paths
from gogooku3.config import Params
from gogooku3.report.page import write
from gogooku3.report.results import read_results


def run(params: Params) -> None:
    """Writes `reports/tier.html`."""
    write(read_results(Path(), params), paths.REPORTS)
