"""Proposes the parameters of a tier of one's own bars: columns, rules, split and batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from gogooku3.config.quotes import BarColumns, FileQuotes, IndexColumns, Inputs, ListedColumns, Rules
from gogooku3.errors import DataError
from gogooku3.new_tier import columns
from gogooku3.quotes import table
from gogooku3.sources.file import make

FIRST, LAST = date(1900, 1, 1), date(2100, 1, 1)
VALIDATION, TEST = 0.65, 0.80
"""Shares of the sessions before validation and before test."""
MIN_SESSIONS = 250
"""A year: shorter bars give no split worth training on."""
MOST_SPLITS = 0.05
"""Largest share of rows with a split."""
MOST_STOCKS = 1000
"""Larger markets are sampled by step."""
SAMPLED_STOCKS = 64
SESSIONS_PER_STEP = 16


@dataclass(frozen=True)
class Proposal:
    """The files with their columns, what is in them, and the parameters that fit."""

    inputs: dict[str, str]
    """Path relative to the project by `bars`, `listed`, `index`; what is not given comes from the bars."""
    bars: dict[str, str | None]
    """Own column name by the schema's; None: the file has no such column."""
    listed: dict[str, str | None]
    index: dict[str, str | None] | None
    """None: the equal-weight index of the stocks."""
    rows: int
    stocks: int
    sessions: int
    first: date
    last: date
    broken: dict[str, int]
    """Rows that break a rule, by rule; rules that no row breaks are left out."""
    validation_from: date
    test_from: date
    batch_stocks: int
    batch_size: int

    @property
    def policies(self) -> dict[str, str]:
        """The policy of each broken rule: rows are dropped, rows out of order are sorted."""
        return {rule: "keep" if rule == "unsorted" else "drop" for rule in self.broken}


def propose(root: Path, files: Mapping[str, Path], named: Mapping[str, str], embargo: int) -> Proposal:
    """Reads the files and proposes parameters.

    Args:
        root: the project, to which the paths are relative.
        files: `bars`, and if they are files of their own `listed` and `index`.
        named: own names of columns of the bars that are not recognised.
        embargo: sessions between the parts of the split.

    Raises:
        ConfigError: a named column is none of the schema's, or not in the file.
        DataError: as `columns.recognise` and `sources.file.make`; or there are too few sessions.
    """
    bars, listed, index = (files.get(kind, files["bars"]) for kind in ("bars", "listed", "index"))
    own = columns.recognise(root / bars, columns.BARS, named)
    of_listing = columns.recognise(
        root / listed, columns.LISTED, {"Code": own["Code"]} if listed == bars else columns.UNNAMED
    )
    of_index = columns.recognise(root / index, columns.INDEX) if "index" in files else None
    _require_factor_of_ex_dates(root / bars, own["AdjustmentFactor"])
    quotes = make(
        FileQuotes(
            source="file",
            inputs=Inputs(*(str(root / path) for path in (bars, listed, index))),
            start=FIRST,
            end=LAST,
            bar_columns=BarColumns(**own),
            listed_columns=ListedColumns(**of_listing),
            index_columns=IndexColumns(**(of_index or {"Date": "Date", "Close": "Close"})),
            rules=Rules(
                duplicate_key="drop",
                unsorted="keep",
                missing_value="drop",
                non_positive_price="drop",
                negative_volume="drop",
                high_below_low="drop",
                outside_range="drop",
                future_date="drop",
            ),
        )
    )
    sessions = quotes.bars["Date"].unique().sort().to_list()
    if len(sessions) < MIN_SESSIONS + 2 * embargo:
        raise DataError(
            f"`{bars}` has {len(sessions)} sessions; {MIN_SESSIONS} and two embargos of {embargo} are needed",
            hint="use bars of a longer period",
        )
    stocks = quotes.bars["Code"].n_unique()
    per_step = stocks if stocks <= MOST_STOCKS else SAMPLED_STOCKS
    return Proposal(
        inputs={kind: str(path) for kind, path in files.items()},
        bars=own,
        listed=of_listing,
        index=of_index,
        rows=quotes.bars.height,
        stocks=stocks,
        sessions=len(sessions),
        first=sessions[0],
        last=sessions[-1],
        broken={rule: entry["count"] for rule, entry in quotes.report["rules"].items() if entry["count"]},
        validation_from=sessions[int(VALIDATION * len(sessions))],
        test_from=sessions[int(TEST * len(sessions))],
        batch_stocks=per_step,
        batch_size=per_step * SESSIONS_PER_STEP,
    )


def _require_factor_of_ex_dates(bars: Path, column: str | None) -> None:
    """Refuses a cumulative adjustment factor, as Tushare's and qlib's: it would adjust every price again and again."""
    if column is None:
        return
    factors = table.load(bars, {"--column AdjustmentFactor": column}).numbers(column)
    share = int((factors != 1).sum()) / len(factors)
    if share > MOST_SPLITS:
        raise DataError(
            f"`{bars}`: column `{column}` differs from 1 in {share:.0%} of the rows: it is a cumulative factor, and"
            " the factor of a split's ex-date is needed, 1 elsewhere",
            hint="divide each factor by that of the session before, or leave the column out if prices are adjusted",
        )
