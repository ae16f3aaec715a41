"""Jinja templates of the pages; all pages share `base.html.j2` and `style.css` of this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from gogooku3.pages import palette
from gogooku3.pages.picture import swatch
from gogooku3.pages.words import cell, code, count, decimal, estimate


def environment(folder: Path) -> Environment:
    """The Jinja environment of a page's template folder, with the shared filters."""
    jinja = Environment(
        loader=FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    jinja.filters |= {"cell": cell, "code": code, "count": count, "decimal": decimal, "estimate": estimate}
    jinja.globals |= {"swatch": swatch, "scripts": "", "script_policy": ""}
    jinja.globals["colours"] = Markup(palette.style())  # noqa: S704 - our own names and colours
    return jinja


def inline(pictures: dict[str, str]) -> dict[str, Any]:
    """Marks charts as safe HTML: names of others in them are escaped."""
    return {name: Markup(svg) for name, svg in pictures.items()}  # noqa: S704
