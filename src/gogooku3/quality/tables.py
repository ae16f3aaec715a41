"""Tables of the statistics, one row per month and one row per feature, for the summary and the page."""

from __future__ import annotations

import polars as pl

from gogooku3.dataset.schema import target_name
from gogooku3.quality.columns import ratio
from gogooku3.quality.statistics import Statistics


def by_month(statistics: Statistics) -> pl.DataFrame:
    """One row per calendar month; a share is NaN if its denominator is 0.

    `expected_bars`: sessions of every stock between its first and its last bar. `target_h`: known share of the expected
    targets. `linked`: share of stocks with a neighbour; `edges`: mean number of neighbours of such a stock.
    """
    bar_counts, targets, graphs = statistics.bar_counts, statistics.targets, statistics.graphs
    return pl.DataFrame(
        {
            "month": statistics.months,
            "sessions": bar_counts.sessions_M,
            "weekdays": bar_counts.weekdays_M,
            "stocks": bar_counts.stocks_M,
            "bars": bar_counts.by_month(bar_counts.bars_T),
            "expected_bars": bar_counts.by_month(bar_counts.listed_T),
        }
        | {
            target_name(horizon): targets.known_share_MH[:, index]
            for index, horizon in enumerate(statistics.schema.horizons)
        }
        | {
            "graphs": graphs.graphs_M,
            "linked": ratio(graphs.linked_M, graphs.present_M),
            "edges": ratio(graphs.edges_M, graphs.linked_M),
        }
    )


def by_feature(statistics: Statistics) -> pl.DataFrame:
    """One row per feature, over all months; a share is NaN if its denominator is 0.

    `missing`: share of all rows; `lost`: share of the rows whose stock has had at least as many bars as the feature's
    lookback; `clipped`: share of the values.
    """
    columns = statistics.columns
    known_F = columns.known_MF.sum(axis=0)
    return pl.DataFrame(
        {
            "feature": statistics.schema.names,
            "family": [feature.family for feature in statistics.schema.features],
            "lookback": [feature.lookback for feature in statistics.schema.features],
            "missing": 1.0 - known_F / columns.rows_M.sum(),
            "lost": ratio(columns.lost_MF.sum(axis=0), columns.due_MF.sum(axis=0)),
            "clipped": ratio(columns.clipped_MF.sum(axis=0), known_F),
            "low": columns.low_F,
            "high": columns.high_F,
        }
    )
