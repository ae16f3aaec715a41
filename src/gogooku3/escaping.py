"""Escapes text that others wrote, for a terminal and for a Markdown page.

Tags, branches, parameters, commit messages, paths and answers of servers are untrusted text. Control characters (escape
sequences, carriage returns, backspaces), invisible and bidirectional characters, and bytes that are not UTF-8 become
`\\x1b`, `\\u202e`, …. One variation selector after a letter or symbol stays: Japanese names and emoji have them.
"""

from __future__ import annotations

import re
from unicodedata import category

_UNUSUAL = re.compile(r"[^\n\t\x20-\x7e][\ufe00-\ufe0f\U000e0100-\U000e01ef]?")
"""A character that is not printable ASCII, with its variation selector."""
_VARIED = frozenset({"Lo", "So"})
"""Unicode categories of characters whose shape a selector may choose: letters (kanji) and symbols (emoji)."""
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories of characters that are not shown but change what is: control, format, surrogate, separators."""
_INVISIBLE = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8"
    r"\U000e0000-\U000e0fff]"
)
"""Invisible characters of other categories: Unicode's Default_Ignorable_Code_Point, and the blank Braille pattern."""
_MARKUP = re.compile(r"[\\`*\[\]|~$#]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
"""What Markdown reads as markup in a line of text or in the cell of a table; `_` inside a word is none."""
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def printable(text: str) -> str:
    """The text with every character that could control the terminal escaped; line breaks and tabs stay."""
    return _UNUSUAL.sub(_escaped, text)


def one_line(text: str) -> str:
    """`printable` with line breaks as spaces: no text can pass for another line of the output."""
    return printable(" ".join(text.split()))


def markdown(text: str) -> str:
    """`one_line` without markup: a page shows the text as it is, in a cell of a table, a heading or a paragraph."""
    return _MARKUP.sub(r"\\\g<0>", one_line(text)).translate(_ENTITIES)


def _escaped(match: re.Match[str]) -> str:
    character = match.group()[0]
    if category(character) in _VARIED and not _is_hidden(character):
        return match.group()
    return "".join(_code(each) if _is_hidden(each) else each for each in match.group())


def _is_hidden(character: str) -> bool:
    return category(character) in _HIDDEN or _INVISIBLE.match(character) is not None


def _code(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as Python decodes it
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
