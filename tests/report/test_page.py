"""The page of a tier: verdict first, all numbers, self-contained, deterministic."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from gogooku3 import paths
from gogooku3.package.lineage import Parent
from gogooku3.package.seeds import gains
from gogooku3.report import curves
from gogooku3.report.page import _charts, _panels, page, write
from gogooku3.report.results import Results

from ..evaluation.conftest import HORIZONS
from ..pages.elements import Elements, check_that_it_needs_nothing_but_itself

SECTIONS = (
    *("returns", "risk", "rank-ic", "quantiles", "calibration", "months", "baselines", "exposure", "periods"),
    *("portfolio", "costs", "latest", "seeds", "training", "data", "provenance", "parameters"),
)


def test_the_verdict_comes_first_and_every_section_has_its_place(drawn: str) -> None:
    ids = [attributes["id"] for tag, attributes in Elements(drawn).found if tag == "section" and "id" in attributes]
    assert ids == list(SECTIONS)
    assert (
        drawn.index("<h1>On a synthetic market, it ranks and earns after costs")
        < drawn.index("<h2>Checks</h2>")
        < drawn.index("<figure>")
    )


@pytest.mark.parametrize("source", ["synthetic", "file", pytest.param("jquants", marks=pytest.mark.slow)])
def test_title_and_headline_say_that_a_market_is_synthetic(skilled: Results, source: str) -> None:
    params = skilled.params | {"quotes": skilled.params["quotes"] | {"source": source}}
    drawn = page(replace(skilled, params=params))
    for tag in ("title", "h1"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", drawn)
        assert ("On a synthetic market" in text) == (source == "synthetic")


def test_an_ensemble_has_a_row_per_seed_and_a_single_network_says_that_it_is_one(skilled: Results, drawn: str) -> None:
    assert "One seed: how much these results depend on it is not measured" in drawn
    estimates = {4: {"value": 0.5, "low": 0.25, "high": 0.75}, 7: {"value": 1.5, "low": 1, "high": 2}}
    members = [{"seed": seed, "sharpe": each, "mean_rank_ic": each} for seed, each in estimates.items()]
    results = replace(
        skilled,
        validation=skilled.validation | {"members": members},
        test=skilled.test | {"members": members},
    )
    text = Elements(page(results)).text
    assert "One seed" not in text
    rows = text[text.index("Seeds") :]
    for shown in ("seed 4", "0.500", "seed 7", "1.500", "mean ± standard deviation", "1.000 ± 0.707", "ensemble"):
        assert shown in rows
    added = [{"seed": seed, "mean_rank_ic": {"value": value}} for seed, value in ((4, 0.01), (7, 0.03))]
    assert gains({"seeds": added}) == "0.020 ± 0.014"


def test_the_page_needs_nothing_but_itself(drawn: str) -> None:
    check_that_it_needs_nothing_but_itself(drawn)


def test_every_figure_says_what_it_shows_and_every_table_has_heads(drawn: str) -> None:
    elements = Elements(drawn)
    pictures = [attributes for tag, attributes in elements.found if tag == "svg" and "aria-hidden" not in attributes]
    assert len(pictures) > 3 * len(HORIZONS)
    assert all(attributes["role"] == "img" and attributes["aria-label"] for attributes in pictures)
    heads = [attributes for tag, attributes in elements.found if tag == "th"]
    assert all("scope" in attributes for attributes in heads)


def test_every_chart_is_on_the_page(drawn: str, skilled: Results) -> None:
    panels = ((each["horizon"], name, picture) for each in _panels(skilled) for name, picture in each.items())
    pictures = _charts(skilled) | {f"{name} {horizon}": str(picture) for horizon, name, picture in panels}
    assert [name for name, picture in pictures.items() if picture not in drawn] == []


def test_the_numbers_are_those_of_the_metrics(drawn: str, skilled: Results) -> None:
    text = Elements(drawn).text
    for cell in (skilled.test["rank_ic"]["5"], skilled.baselines["lightgbm"]["model_less_this"]["mean_rank_ic"]):
        assert f"{cell['value']:.3f} [{cell['low']:.3f}, {cell['high']:.3f}]".replace("-", "−") in text
    for expected_text in (skilled.schema.abi, "x86-64-v3", "evaluation.portfolio.cost_bps", "Trained from scratch"):
        assert expected_text in text
    assert skilled.hashes["model.safetensors"] in text


def test_the_same_results_give_the_same_bytes(skilled: Results, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(skilled, tmp_path / name)
    assert (tmp_path / "one" / paths.TIER_PAGE.name).read_bytes() == (
        tmp_path / "two" / paths.TIER_PAGE.name
    ).read_bytes()


@pytest.mark.slow
def test_a_parent_is_named_with_its_hash(skilled: Results) -> None:
    text = Elements(page(replace(skilled, parent=Parent("tier1@v1.0.0", "c" * 40, "a" * 64)))).text
    assert "Started from tier1@v1.0.0" in text
    assert "a" * 64 in text


def test_findings_of_the_data_stand_on_the_page_and_are_never_markup(run: Callable[..., Results]) -> None:
    finding = {"check": "missing", "kind": "missing", "level": "fault", "text": "`ret_1` <script>alert(1)</script>"}
    drawn = page(run(findings=[finding]))
    assert len(Elements(drawn).scripts) == 2
    assert not any("alert(1)" in script for script in Elements(drawn).scripts)
    assert "&lt;script&gt;alert(1)" in drawn
    assert re.search(r'<header class="has-fault">', drawn)


def test_a_phase_that_adds_nothing_is_named(skilled: Results) -> None:
    assert (skilled.trained, skilled.idle) == (["baseline", "gat", "finetune"], ["finetune"])
    assert "No epoch of <b>finetune</b> was better on validation than the start of the phase" in page(skilled)


@pytest.mark.slow
def test_a_training_without_epochs_says_so(skilled: Results) -> None:
    nothing = {phase: curve.head(0) for phase, curve in skilled.training.items()}
    assert "No phase has an epoch" in page(replace(skilled, training=nothing))


def test_a_portfolio_that_never_held_anything_has_an_empty_drawdown(skilled: Results) -> None:
    nothing = skilled.sessions.with_columns(pl.lit(float("nan")).alias("drawdown"))
    assert "Drawdown of the model" in curves.drawdown(replace(skilled, sessions=nothing))


def test_what_is_undefined_is_a_dash(skilled: Results) -> None:
    """A model without a Sharpe ratio, whose baselines cannot be compared."""
    nothing = {"value": None, "low": None, "high": None}
    sharpe = skilled.test["sharpe"] | nothing | {"probabilistic": None, "min_track_record": None, "trials_survived": 0}
    baselines = {
        name: table | {"model_less_this": table["model_less_this"] | {"sharpe": nothing}}
        for name, table in skilled.baselines.items()
    }
    drawn = page(replace(skilled, test=skilled.test | {"sharpe": sharpe}, baselines=baselines))
    assert "<h1>On a synthetic market, it ranks, but is not shown to earn after costs</h1>" in drawn
    assert "nan" not in Elements(drawn).text.lower().split()
