"""Walk-forward section of the model card, after the results of the packaged model."""

from __future__ import annotations

from typing import Any

from gogooku3.package.results import interval

_TEMPLATE = """
### Walk-forward

{count} models of the same recipe, each trained on sessions before its test period; none is the model of this package.
All tests joined to one out-of-sample series with one portfolio, {sessions} sessions from {begin} to {end}{gaps}:

| | Sharpe | mean RankIC |
|---|---|---|
| **model** | {sharpe} | {rank_ic} |
| model minus LightGBM | {sharpe_difference} | {rank_ic_difference} |

| fold | trained on | tested on | Sharpe | mean RankIC | minus LightGBM |
|---|---|---|---|---|---|
{folds}
"""


_GAPS = """, without
a position in sessions that no fold tests ({}). Those sessions count as returns of 0,
which lowers the Sharpe ratio (or raises it if below 0)"""


def walk_forward_section(results: dict[str, Any]) -> str:
    """The card's walk-forward section in Markdown; "" without a walk-forward.

    Args:
        results: `metrics.json` of the package.
    """
    if "walk_forward" not in results:
        return ""
    series = results["walk_forward"]
    difference = next(each for each in series["baselines"] if each["name"] == "lightgbm")["model_less_this"]
    gaps = [f"{gap['from']} to {gap['to']}" for gap in series["gaps"]]
    return _TEMPLATE.format(
        count=len(series["folds"]),
        sessions=series["sessions"],
        begin=series["from"],
        end=series["to"],
        gaps=_GAPS.format("; ".join(gaps)) if gaps else "",
        sharpe=interval(series["sharpe"]),
        rank_ic=interval(series["mean_rank_ic"]),
        sharpe_difference=interval(difference["sharpe"]),
        rank_ic_difference=interval(difference["mean_rank_ic"]),
        folds="\n".join(_row(fold) for fold in series["folds"]),
    )


def _row(fold: dict[str, Any]) -> str:
    spans = ("{first} to {last}".format(**fold[split]) for split in ("train", "test"))
    numbers = (interval(fold[name]) for name in ("sharpe", "mean_rank_ic", "model_less_lightgbm"))
    return f"| {fold['fold']} | {' | '.join([*spans, *numbers])} |"
