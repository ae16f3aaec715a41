"""Front matter of the model card: YAML metadata and test results in the format of Hugging Face's model hub."""

from __future__ import annotations

from typing import Any

import yaml

_TASK = "time-series-forecasting"


def front_matter(params: dict[str, Any], stocks: int, test: dict[str, Any]) -> str:
    """The card's YAML front matter for Hugging Face's hub, between lines of dashes.

    Args:
        params: all of `params.yaml`.
        stocks: number of stocks in the dataset.
        test: the metrics of the test split.
    """
    source = params["quotes"]["source"]
    content = {
        "language": "en",
        "license": "apache-2.0",
        "library_name": "gogooku3",
        "pipeline_tag": _TASK,
        "tags": ["finance", "time-series", "ranking", "temporal-fusion-transformer", "graph-attention"],
        "model-index": [
            {
                "name": params["tier"],
                "results": [
                    {
                        "task": {"type": _TASK, "name": "Ranking of stocks by expected return"},
                        "dataset": {
                            "type": source,
                            "name": f"{source}, {stocks} stocks, {test['from']} to {test['to']}",
                            "split": "test",
                        },
                        "metrics": _metrics(test),
                    }
                ],
            }
        ],
    }
    return f"---\n{yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)}---"


def _metrics(test: dict[str, Any]) -> list[dict[str, Any]]:
    """The metrics that are defined; the hub's format has no intervals, so the names contain them."""
    cells = {"sharpe": ("Sharpe ratio after costs", test["sharpe"])}
    cells["mean_rank_ic"] = ("RankIC, mean over horizons", test["mean_rank_ic"])
    cells |= {f"rank_ic_{h}": (f"RankIC, {h} session(s)", cell) for h, cell in test["rank_ic"].items()}
    return [
        {"type": kind, "name": f"{title}{_bounds(cell)}", "value": round(cell["value"], 6)}
        for kind, (title, cell) in cells.items()
        if cell["value"] is not None
    ]


def _bounds(cell: dict[str, Any]) -> str:
    if cell["low"] is None or cell["high"] is None:
        return ""
    return f", 95 % interval {cell['low']:.3f} to {cell['high']:.3f}"
