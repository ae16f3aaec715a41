"""Front matter of the model card: YAML metadata and test results in the format of Hugging Face's model hub.

The format: https://github.com/huggingface/hub-docs/blob/main/modelcard.md
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from gogooku3.package.lineage import Parent

_TASK = "time-series-forecasting"


@dataclass(frozen=True)
class DatasetIdentity:
    """What identifies the dataset of a model."""

    stocks: int
    abi: str
    """Feature ABI: SHA-256 of the ordered features."""
    sha256: str
    """SHA-256 of `contents.json`, which has the checksum of every file of the dataset."""


def front_matter(params: dict[str, Any], dataset: DatasetIdentity, parent: Parent | None, test: dict[str, Any]) -> str:
    """The card's YAML front matter for Hugging Face's hub, between lines of dashes.

    Names of the project stand where the hub has ids of its own models and datasets: the base model is the tag of a
    release, the dataset the source of its quotes.

    Args:
        params: all of `params.yaml`.
        parent: the release that training started from; None if trained from scratch.
        test: the metrics of the test split.
    """
    source = params["quotes"]["source"]
    licence = {name: value for name, value in params["card"].items() if value is not None}
    base = {} if parent is None else {"base_model": parent.tag, "base_model_relation": "finetune"}
    content = {
        "language": "en",
        **licence,
        "library_name": "gogooku3",
        "pipeline_tag": _TASK,
        "tags": ["finance", "time-series", "ranking", "temporal-fusion-transformer", "graph-attention"],
        **base,
        "datasets": [source],
        "model-index": [
            {
                "name": params["tier"]["name"],
                "results": [
                    {
                        "task": {"type": _TASK, "name": "Ranking of stocks by expected return"},
                        "dataset": {
                            "type": source,
                            "name": f"{source}, {dataset.stocks} stocks, {test['from']} to {test['to']}",
                            "split": "test",
                            "revision": dataset.sha256,
                            "args": {"feature_abi": dataset.abi, "from": test["from"], "to": test["to"]},
                        },
                        "metrics": _metrics(test),
                    }
                ],
            }
        ],
    }
    return f"---\n{yaml.safe_dump(content, sort_keys=False, width=120)}---"


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
