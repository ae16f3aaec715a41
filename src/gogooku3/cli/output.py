"""Everything that the verbs print passes through here: text that others wrote cannot control the terminal.

Tags, paths, parameters, packages and answers of servers are untrusted text: `gogooku3.escaping` escapes what could
control the terminal. Brackets are never markup.
"""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterable
from typing import Any

import click
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderableType, RenderHook, RenderResult
from rich.segment import Segment

from gogooku3.escaping import one_line as one_line
from gogooku3.escaping import printable as printable


def echo(text: object = "", *, err: bool = False, nl: bool = True, **style: Any) -> None:
    """Prints text, on stderr if `err`; `style` is that of `click.style`."""
    click.secho(printable(str(text)), err=err, nl=nl, **style)


def echo_json(content: Any, **options: Any) -> None:
    """Prints JSON in ASCII: every other character is escaped in JSON's own way. `options` are those of `json.dumps`."""
    click.echo(json.dumps(content, indent=2, **options))


def console(**options: Any) -> Console:
    """A console for tables and styled text, without markup; `options` are those of rich's `Console`."""
    made = Console(**{"highlight": False, "markup": False, "emoji": False, **options})
    made.push_render_hook(_Escaping())
    return made


class _Escaping(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Escaped(renderable) for renderable in renderables]


class _Escaped:
    """A renderable with its text escaped; styles are added after that."""

    def __init__(self, renderable: RenderableType) -> None:
        self._renderable = renderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        segments: Iterable[Segment] = console.render(self._renderable, options)
        for segment in segments:
            yield segment if segment.control else Segment(printable(segment.text), segment.style)


class _PrintableFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def prepare() -> None:
    """Makes the streams of this process print what their encoding lacks as escapes, and logs of libraries safe."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_PrintableFormatter())
