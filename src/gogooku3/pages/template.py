"""Templates of pages: `base.html.j2` and `style.css` of this folder are what all of them share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from gogooku3.pages import palette
from gogooku3.pages.words import cell, code, count, decimal, estimate


def environment(folder: Path) -> Environment:
    """Where a page's own templates are found, and the filters that every page has."""
    made = Environment(
        loader=FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"cell": cell, "code": code, "count": count, "decimal": decimal, "estimate": estimate}
    made.globals["colours"] = Markup(palette.style())  # noqa: S704 - our own names and colours
    return made


def inline_svg(pictures: dict[str, str]) -> dict[str, Any]:
    """Pictures as a template takes them: SVG that was drawn from numbers and our own names."""
    return {name: Markup(svg) for name, svg in pictures.items()}  # noqa: S704
