"""Front matter of the model card, as model hubs read it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gogooku3.package.lineage import Parent
from gogooku3.package.metadata import DatasetIdentity, front_matter

from ..conftest import metrics_like

NOTHING = {"value": None, "low": None, "high": None}
UNLICENSED = {"license": None, "license_name": None, "license_link": None}
PARENT = Parent("tier1@v1.0.0", "0" * 40, "ab" * 32)
DATASET = DatasetIdentity(3800, "c" * 64, "d" * 64)


def text(
    tier: str = "tier1",
    source: str = "jquants",
    card: dict[str, str | None] = UNLICENSED,
    parent: Parent | None = None,
    **changes: Any,
) -> str:
    test = metrics_like({"1": {"value": 0.031, "low": 0.01, "high": 0.05}, "5": NOTHING}, NOTHING)
    test |= {"sharpe": {"value": 1.25, "low": None, "high": None}} | changes
    return front_matter({"tier": {"name": tier}, "quotes": {"source": source}, "card": card}, DATASET, parent, test)


def read(**changes: Any) -> dict[str, Any]:
    opening, content, closing = text(**changes).split("---")
    assert (opening, closing) == ("", "")
    read: dict[str, Any] = yaml.safe_load(content)
    return read


def test_the_head_names_library_task_data_and_results() -> None:
    head = read()
    common = {name: head[name] for name in ("language", "library_name", "pipeline_tag", "datasets")}
    assert common == {
        "language": "en",
        "library_name": "gogooku3",
        "pipeline_tag": "time-series-forecasting",
        "datasets": ["jquants"],
    }
    (model,) = head["model-index"]
    (result,) = model["results"]
    assert model["name"] == "tier1"
    assert result["task"]["type"] == head["pipeline_tag"]
    assert result["dataset"] == {
        "type": "jquants",
        "name": "jquants, 3800 stocks, 2024-01-04 to 2024-02-29",
        "split": "test",
        "revision": "d" * 64,
        "args": {"feature_abi": "c" * 64, "from": "2024-01-04", "to": "2024-02-29"},
    }
    metrics = {metric["type"]: (metric["name"], metric["value"]) for metric in result["metrics"]}
    assert metrics == {
        "sharpe": ("Sharpe ratio after costs", 1.25),
        "mean_rank_ic": ("RankIC, mean over horizons, 95 % interval -0.050 to 0.150", 0.05),
        "rank_ic_1": ("RankIC, 1 session(s), 95 % interval 0.010 to 0.050", 0.031),
    }


@pytest.mark.parametrize(
    ("card", "lines"),
    [
        (UNLICENSED, {}),
        (UNLICENSED | {"license": "mit"}, {"license": "mit"}),
        (
            {"license": "other", "license_name": "my-licence-1.0", "license_link": "https://example.com/licence#2"},
            {"license": "other", "license_name": "my-licence-1.0", "license_link": "https://example.com/licence#2"},
        ),
        (UNLICENSED | {"license": "other", "license_name": "own"}, {"license": "other", "license_name": "own"}),
    ],
)
def test_the_head_has_the_licence_that_is_stated_and_no_other(
    card: dict[str, str | None], lines: dict[str, str]
) -> None:
    assert {name: value for name, value in read(card=card).items() if name.startswith("license")} == lines


def test_the_head_names_the_base_model_if_there_is_one() -> None:
    assert not {name for name in read() if name.startswith("base_model")}
    head = read(parent=PARENT)
    assert (head["base_model"], head["base_model_relation"]) == ("tier1@v1.0.0", "finetune")


def test_a_model_without_any_defined_metric_has_a_head() -> None:
    (result,) = read(sharpe=NOTHING, mean_rank_ic=NOTHING, rank_ic={})["model-index"][0]["results"]
    assert result["metrics"] == []


def test_the_same_facts_give_the_same_text() -> None:
    assert text(parent=PARENT) == text(parent=PARENT)


@given(
    st.text(min_size=1)
    | st.sampled_from(["yes", "null", "1e3", "2024-01-31", "~", "a: b", "# x", "{a", "\n---\n", "..."])
)
def test_any_name_is_read_back_and_ends_the_head_nowhere(name: str) -> None:
    """As the hub does: the head ends at the first line of three dashes."""
    opening, *lines, closing = text(tier=name, source=name, parent=Parent(name, "0", "0")).split("\n")
    assert (opening, closing) == ("---", "---")
    assert "---" not in {line.rstrip() for line in lines}
    head = yaml.safe_load("\n".join(lines))
    (model,) = head["model-index"]
    names = (head["base_model"], model["name"], *head["datasets"], model["results"][0]["dataset"]["type"])
    assert names == (name,) * 4


def test_the_library_of_the_hub_reads_the_results() -> None:
    hub = pytest.importorskip("huggingface_hub")
    card = hub.ModelCard(text(card=UNLICENSED | {"license": "mit"}, parent=PARENT))
    assert (card.data.license, card.data.base_model, card.data.model_name) == ("mit", PARENT.tag, "tier1")
    assert {result.metric_type for result in card.data.eval_results} == {"sharpe", "mean_rank_ic", "rank_ic_1"}
    assert {result.dataset_revision for result in card.data.eval_results} == {DATASET.sha256}
