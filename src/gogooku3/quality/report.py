"""Writes the report: `data_quality.html` for people, verdict first, and `data_quality.json` for programs."""

from __future__ import annotations

from pathlib import Path

from gogooku3 import paths
from gogooku3.quality.checks import Found
from gogooku3.quality.page import page
from gogooku3.quality.summary import summary
from gogooku3.quality.survey import Survey
from gogooku3.runtime.files import replaced_file, write_json


def write(survey: Survey, found: Found, folder: Path) -> None:
    """Writes both files into a folder, the same bytes for the same dataset."""
    drawn = page(survey, found)
    write_json(summary(survey, found), folder / paths.QUALITY_SUMMARY.name)
    with replaced_file(folder / paths.QUALITY_PAGE.name) as partial:
        partial.write_text(drawn, encoding="utf-8")
