"""Model card: the text says what the parameters state about the licence, and names base model and dataset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from gogooku3.config import Params
from gogooku3.config.card import Card
from gogooku3.model.network import Network
from gogooku3.package.card import write_card
from gogooku3.package.lineage import Parent
from gogooku3.panel.panel import Panel
from gogooku3.training.phases import PHASES

from ..conftest import baselines_like, metrics_like

ENVIRONMENT = {
    "numerics": {"threads": 2, "instruction_set": "portable"},
    "exact_on": "x86-64-v3",
    "precision": "float32",
    "versions": {"torch": "2.12.0"},
}
PARENT = Parent("tier1@v1.0.0", "0" * 40, "ab" * 32)
NONE_GRANTED = "no licence to use, copy or distribute this model was granted"


@pytest.fixture
def card(
    demo: Params, panel: Panel, network: Callable[..., Network], tmp_path: Path
) -> Callable[[Card, Parent | None], str]:
    estimate = {"value": 0.05, "low": 0.01, "high": 0.09}
    metrics = metrics_like({str(h): estimate for h in panel.horizons}, estimate)
    results: dict[str, Any] = {"validation": metrics, "test": metrics, "baselines": baselines_like()}
    model = network("gat", opened=True)

    def write(section: Card, parent: Parent | None, source: str = "synthetic") -> str:
        params = asdict(replace(demo, card=section))
        params["quotes"]["source"] = source
        write_card(
            params,
            ENVIRONMENT,
            parent,
            model,
            panel,
            "d" * 64,
            results,
            dict.fromkeys(PHASES, "epoch 1"),
            tmp_path / "README.md",
        )
        return (tmp_path / "README.md").read_text(encoding="utf-8")

    return write


def section(text: str, title: str) -> str:
    return text.partition(f"\n## {title}\n\n")[2].partition("\n## ")[0]


def test_without_a_licence_the_card_says_that_none_was_granted(card: Callable[..., str]) -> None:
    text = card(Card(None, None, None), None)
    assert NONE_GRANTED in section(text, "Licence")
    assert "license:" not in text
    assert "apache" not in text


@pytest.mark.parametrize(
    ("stated", "line", "words"),
    [
        (Card("mit", None, None), "license: mit", "`mit`"),
        (
            Card("other", "own-1.0", "https://example.com/own"),
            "license_name: own-1.0",
            "`own-1.0`: <https://example.com/own>",
        ),
        (Card("other", "own-1.0", None), "license: other", "`own-1.0`; no link to its text is stated."),
    ],
)
def test_a_stated_licence_is_in_the_head_and_in_the_text(
    card: Callable[..., str], stated: Card, line: str, words: str
) -> None:
    text = card(stated, None)
    assert line in text.split("\n---\n")[0].splitlines()
    assert words in section(text, "Licence")
    assert NONE_GRANTED not in text


def test_the_card_names_base_model_and_dataset(card: Callable[..., str]) -> None:
    text = card(Card(None, None, None), PARENT)
    assert "base_model: tier1@v1.0.0" in text.splitlines()
    assert f"Started from `{PARENT.tag}`, commit {PARENT.commit}" in section(text, "Lineage")
    assert "d" * 64 in section(text, "Data")
    assert text == card(Card(None, None, None), PARENT)


@pytest.mark.parametrize("source", ["synthetic", "file", "jquants"])
def test_the_first_lines_say_that_a_market_is_synthetic(card: Callable[..., str], source: str) -> None:
    _, _, text = card(Card(None, None, None), None, source).partition("\n# demo\n\n")
    first, _, _ = text.partition("\n\n")
    assert first.startswith("**The market is synthetic" if source == "synthetic" else "Ranks the stocks of a session")
