"""Mutants of a module: its source with one small change, of the kinds of error that numerical code has.

Comparisons (`<` and `<=`), integers one too large, `+` and `-`, `and` and `or`, `&` and `|`, a removed `not` or `~`,
axis 0 and 1, first and last (also `min` and `max`, `any` and `all`), a removed guard (`if …: raise`, `return` or
`continue`) and a removed call of a check (`require_…`, `refuse_…`, `check_…`).
"""

from __future__ import annotations

import ast
import difflib
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import PurePosixPath

_COMPARISONS: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
}
_BINARY: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
}
_ENDS = {"first": "last", "min": "max", "minimum": "maximum", "any": "all", "left": "right"}
_OTHER_END = _ENDS | {other: one for one, other in _ENDS.items()}
_AXIS = ("axis", "dim")
_CHECK = re.compile(r"_?(require|refuse|check)")
_SILENT = re.compile(r"log\.|progress|show|advance")
"""Calls that only report: no result depends on their arguments."""
_LARGEST = 20
"""Largest integer that is changed: larger ones are sizes of buffers and the like."""

_Change = tuple[int, int, str]
"""Begin and end of the changed part of the source, in bytes, and its new text."""


@dataclass(frozen=True)
class Mutant:
    """A module with one change."""

    path: PurePosixPath
    """The module in the package, such as `metrics/returns.py`."""
    line: int
    source: str
    """The changed source."""
    diff: tuple[str, ...]
    """The changed lines without their indentation: those removed, then those added, with `-` and `+` in front."""


def mutants(path: PurePosixPath, source: str) -> list[Mutant]:
    """Every mutant of a module, in the order of the syntax tree."""
    content = source.encode()
    starts = [0, *accumulate(len(line) for line in content.splitlines(keepends=True))]
    found = []
    for begin, end, new in _changes(ast.parse(source), content, starts):
        first, last = bisect_right(starts, begin) - 1, bisect_left(starts, end)
        changed = content[:begin] + new.encode() + content[end:]
        lines = (
            content[starts[first] : starts[last]],
            changed[starts[first] : starts[last] + len(changed) - len(content)],
        )
        found.append(Mutant(path, first + 1, changed.decode(), _diff(*(text.decode() for text in lines))))
    return found


def _diff(old: str, new: str) -> tuple[str, ...]:
    lines = [line[0] + line[1:].strip() for line in difflib.ndiff(old.splitlines(), new.splitlines())]
    return tuple(line for sign in "-+" for line in lines if line.startswith(sign))


def _changes(tree: ast.AST, content: bytes, starts: list[int]) -> Iterator[_Change]:
    def at(line: int, column: int) -> int:
        return starts[line - 1] + column

    def span(node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return at(node.lineno, node.col_offset), at(node.end_lineno, node.end_col_offset)

    def between(left: ast.expr, right: ast.expr, old: str, new: str) -> Iterator[_Change]:
        """Replaces the operator between two operands."""
        begin, end = span(left)[1], span(right)[0]
        match = re.compile(re.escape(old).replace(r"\ ", r"\s+").encode()).search(content, begin, end)
        assert match is not None
        yield *match.span(), new

    def visit(node: ast.AST) -> Iterator[_Change]:
        match node:
            case ast.Compare(left=left, ops=[operator], comparators=[right]):
                yield from between(left, right, *_COMPARISONS[type(operator)])
            case ast.BoolOp(op=operator, values=values):
                old, new = ("and", "or") if isinstance(operator, ast.And) else ("or", "and")
                for left, right in pairwise(values):
                    yield from between(left, right, old, new)
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _BINARY:
                if not any(
                    isinstance(each, ast.List | ast.Tuple | ast.JoinedStr) or _is_text(each) for each in (left, right)
                ):
                    yield from between(left, right, *_BINARY[type(operator)])
            case ast.UnaryOp(op=ast.Not() | ast.Invert()):
                begin, _ = span(node)
                sign = re.match(rb"not\s+|~", content[begin:])
                assert sign is not None
                yield begin, begin + sign.end(), ""
            case ast.keyword(arg=name, value=ast.Constant(value=0 | 1 as axis)) if name in _AXIS:
                yield *span(node.value), str(1 - axis)
                return
            case ast.Subscript(value=value, slice=ast.Constant(value=0) as index):
                yield *span(index), "-1"
                yield from visit(value)
                return
            case ast.Subscript(value=value, slice=ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=1)) as index):
                yield *span(index), "0"
                yield from visit(value)
                return
            case ast.Constant(value=int() as number) if not isinstance(number, bool) and 0 <= number <= _LARGEST:
                yield *span(node), str(number + 1)
            case ast.Call(func=ast.Name(id=name) as function) if name in _OTHER_END:
                yield *span(function), _OTHER_END[name]
            case ast.Call(func=ast.Attribute(attr=name) as function) if name in _OTHER_END:
                end = span(function)[1]
                yield end - len(name), end, _OTHER_END[name]
            case ast.If(body=[*_, ast.Raise() | ast.Return() | ast.Continue()], orelse=[]):
                if not content.startswith(b"elif", span(node)[0]):
                    yield *span(node), "pass"
            case ast.Expr(value=ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name))) if _CHECK.match(name):
                yield *span(node), "pass"
        for child in _children(node):
            yield from visit(child)

    yield from visit(tree)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of a node that are changed: no annotations, decorators, texts, messages, logs or bit shifts."""
    if isinstance(node, ast.JoinedStr | ast.Raise) or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.LShift)):
        return
    if isinstance(node, ast.Call) and _SILENT.match(ast.unparse(node.func)):
        return
    skipped = {"annotation", "returns", "decorator_list", "type_comment"}
    for name, value in ast.iter_fields(node):
        if name not in skipped:
            yield from (each for each in (value if isinstance(value, list) else [value]) if isinstance(each, ast.AST))


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
