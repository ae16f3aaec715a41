"""Escapes text that others wrote, for a terminal and for a Markdown page.

Tags, branches, parameters, commit messages, paths and answers of servers are untrusted text. Control characters (escape
sequences, carriage returns, backspaces), invisible and bidirectional format characters, and bytes that are not UTF-8
become `\\x1b`, `\\u202e`, ….
"""

from __future__ import annotations

import re
from unicodedata import category

_UNUSUAL = re.compile(r"[^\n\t\x20-\x7e]")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories of characters that are not shown but change what is: control, format, surrogate, separators."""
_MARKUP = re.compile(r"[\\`*\[\]|~$#]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
"""What Markdown reads as markup in a line of text or in the cell of a table; `_` inside a word is none."""
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def printable(text: str) -> str:
    """The text with every character that could control the terminal escaped; line breaks and tabs stay."""
    return _UNUSUAL.sub(_escaped, text)


def one_line(text: str) -> str:
    """`printable` with line breaks as spaces: nobody's text can pass for another line of the output."""
    return printable(" ".join(text.split()))


def markdown(text: str) -> str:
    """`one_line` without markup: a page shows the text as it is, in a cell of a table, a heading or a paragraph."""
    return _MARKUP.sub(r"\\\g<0>", one_line(text)).translate(_ENTITIES)


def _escaped(match: re.Match[str]) -> str:
    character = match.group()
    if category(character) not in _HIDDEN:
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as Python decodes it
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
