"""Where bars come from: a synthetic market, any file or J-Quants, checked and brought into one schema."""

from __future__ import annotations

from gogooku3.quotes.folder import read, write
from gogooku3.quotes.schema import Bars, Index, Listed, Oracle, OracleScores, Quotes
from gogooku3.quotes.source import make

__all__ = ["Bars", "Index", "Listed", "Oracle", "OracleScores", "Quotes", "make", "read", "write"]
