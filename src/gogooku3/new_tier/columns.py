"""Recognises the columns of a file by their names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl

from gogooku3.errors import ConfigError, DataError
from gogooku3.quotes.table import UNREADABLE, first_line

BARS = {
    "Code": ("code", "localcode", "securitiescode", "ticker", "symbol", "tic", "instrument", "stock", "stockcode"),
    "Date": ("date", "tradedate", "tradingdate", "day", "datetime", "timestamp"),
    "Open": ("open", "openprice", "o"),
    "High": ("high", "highprice", "h"),
    "Low": ("low", "lowprice", "l"),
    "Close": ("close", "closeprice", "c"),
    "Volume": ("volume", "vol", "tradingvolume", "vo", "v"),
    "TurnoverValue": ("turnovervalue", "turnover", "tradingvalue", "amount", "va"),
    "AdjustmentFactor": ("adjustmentfactor", "adjfactor"),
}
"""Names of each column of the bars, in lower case without separators, the most specific first."""
LISTED = {
    "Code": BARS["Code"],
    "Sector33": ("sector33", "sector33codename", "sector33name", "sector", "gicssector", "industry"),
    "MarketSegment": ("marketsegment", "segment", "market", "exchange"),
}
INDEX = {"Date": BARS["Date"], "Close": BARS["Close"]}
OPTIONAL = frozenset({"TurnoverValue", "AdjustmentFactor", "Sector33", "MarketSegment"})

UNNAMED: Mapping[str, str] = MappingProxyType({})

_SEPARATOR = re.compile(r"[^0-9a-z]")


def names(path: Path) -> list[str]:
    """The column names of a parquet or CSV file.

    Raises:
        DataError: the file is missing, of another type, or cannot be read.
    """
    if path.suffix not in (".parquet", ".csv"):
        raise DataError(f"`{path}` is neither .parquet nor .csv", hint="convert it to one of them")
    if not path.is_file():
        raise DataError(f"`{path}` does not exist", hint="name an existing file")
    try:
        if path.suffix == ".parquet":
            return list(pl.read_parquet_schema(path))
        return pl.read_csv(path, infer_schema=False, glob=False, n_rows=1).columns
    except UNREADABLE as error:
        raise DataError(
            f"`{path}` cannot be read as {path.suffix[1:]}: {first_line(error)}",
            hint="get the file again: it is empty, truncated or damaged",
        ) from None


def recognise(path: Path, known: Mapping[str, Sequence[str]], named: Mapping[str, str] = UNNAMED) -> dict[str, Any]:
    """The file's own name of each column, None for an optional one that it does not have.

    Args:
        known: names by column, as `BARS`.
        named: own names that the user states, by column.

    Raises:
        ConfigError: a stated column is not among the known ones, or not in the file.
        DataError: as `names`; or a column is not recognised.
    """
    own = names(path)
    for column, name in named.items():
        if column not in known:
            raise ConfigError(f"`{column}` is not a column of bars", hint=f"use one of {', '.join(known)}")
        if name not in own:
            raise ConfigError(f"`{path}` has no column `{name}`; it has {_listed(own)}", hint="name one of these")
    plain: dict[str, str] = {}
    for name in own:
        plain.setdefault(_SEPARATOR.sub("", name.lower()), name)
    found = {
        column: named.get(column) or next((plain[name] for name in synonyms if name in plain), None)
        for column, synonyms in known.items()
    }
    missing = [column for column, name in found.items() if name is None and column not in OPTIONAL]
    if missing:
        raise DataError(
            f"`{path}` has no column that is recognised as {', '.join(missing)}; it has {_listed(own)}",
            hint=f"name it, as in `--column {missing[0]}={own[0]}`, or rename it in the file",
        )
    return found


def _listed(own: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in own)
