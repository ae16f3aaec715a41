"""Front matter of the model card, as model hubs read it."""

from __future__ import annotations

from typing import Any

import yaml

from gogooku3.package.metadata import front_matter

from ..conftest import metrics_like

NOTHING = {"value": None, "low": None, "high": None}


def read(**changes: Any) -> dict[str, Any]:
    test = metrics_like({"1": {"value": 0.031, "low": 0.01, "high": 0.05}, "5": NOTHING}, NOTHING)
    params = {"tier": "tier1", "quotes": {"source": "jquants"}}
    text = front_matter(params, 3800, test | {"sharpe": {"value": 1.25, "low": None, "high": None}} | changes)
    opening, content, closing = text.split("---")
    assert (opening, closing) == ("", "")
    read: dict[str, Any] = yaml.safe_load(content)
    return read


def test_the_head_names_licence_library_task_and_results() -> None:
    head = read()
    common = {name: head[name] for name in ("language", "license", "library_name", "pipeline_tag")}
    assert common == {
        "language": "en",
        "license": "apache-2.0",
        "library_name": "gogooku3",
        "pipeline_tag": "time-series-forecasting",
    }
    (model,) = head["model-index"]
    (result,) = model["results"]
    assert model["name"] == "tier1"
    assert result["task"]["type"] == head["pipeline_tag"]
    assert result["dataset"] == {
        "type": "jquants",
        "name": "jquants, 3800 stocks, 2024-01-04 to 2024-02-29",
        "split": "test",
    }
    metrics = {metric["type"]: (metric["name"], metric["value"]) for metric in result["metrics"]}
    assert metrics == {
        "sharpe": ("Sharpe ratio after costs", 1.25),
        "mean_rank_ic": ("RankIC, mean over horizons, 95 % interval -0.050 to 0.150", 0.05),
        "rank_ic_1": ("RankIC, 1 session(s), 95 % interval 0.010 to 0.050", 0.031),
    }


def test_a_model_without_any_defined_metric_has_a_head() -> None:
    (result,) = read(sharpe=NOTHING, mean_rank_ic=NOTHING, rank_ic={})["model-index"][0]["results"]
    assert result["metrics"] == []
