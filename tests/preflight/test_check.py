"""What the preflight refuses, with the parameter and the values, and that it agrees with the stages' own checks."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gogooku3 import config, preflight
from gogooku3.config import Params
from gogooku3.config.model import Model
from gogooku3.config.quotes import SyntheticQuotes
from gogooku3.dataset.contents import CONTENTS
from gogooku3.errors import ConfigError, DataError, MachineError, UserError
from gogooku3.evaluation.evaluate import _check_length
from gogooku3.evaluation.portfolio import trade
from gogooku3.metrics.ranking import MIN_STOCKS
from gogooku3.model.network import Network
from gogooku3.preflight import sizes
from gogooku3.preflight.market import Market, listed, read_dataset, read_quotes
from gogooku3.preflight.periods import Period, _require_returns
from gogooku3.quotes.folder import write
from gogooku3.runtime.files import write_json
from gogooku3.sources.source import make
from gogooku3.training.phases import PHASES

from ..config.test_params import TIERS, compose
from ..evaluation.conftest import calm, prices_after
from .plans import TINY, run, tree_of

WALK = {"evaluation.scheme": "walk_forward"}


def params_of(**changes: Any) -> Params:
    """The tiny plan with some changes; `__` stands for a dot."""
    return config.parse(tree_of({name.replace("__", "."): value for name, value in changes.items()}))


def refusal(params: Params, **options: Any) -> UserError:
    with pytest.raises(UserError) as caught:
        preflight.check(params, **options)
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_every_precision_is_possible_on_a_gpu(precision: str) -> None:
    preflight.check(params_of(numerics__precision=precision, numerics__device="cuda"))


@pytest.mark.parametrize("tier", TIERS)
def test_the_projects_own_plans_are_possible(tmp_path: Path, tier: str) -> None:
    overrides = [f"tier={tier}", "evaluation.scheme=walk_forward"]
    preflight.check(config.load(compose(tmp_path / "params.yaml", *overrides)))


@pytest.mark.parametrize(
    ("changes", "texts"),
    [
        ({"quotes.stocks": 9}, ["the market has 9 stocks (`quotes.stocks`)", "10 or more"]),
        ({"quotes.stocks": 2}, ["the market has 2 stocks"]),
        ({"quotes.delisted": 0.5}, ["no session of the validation split", "10 stocks", "the most are 8"]),
        ({"quotes.suspended": 0.5}, ["no session of the validation split", "the most are 9"]),
        ({"quotes.end": "2022-08-16"}, ["the test split has 21 sessions and needs 22", "`dataset.split`", "test_from"]),
        ({"dataset.split.validation_from": "2022-06-10"}, ["the validation split has 20 sessions and needs 21"]),
        (
            {"dataset.split.train_from": "2022-05-02"},
            ["14 sessions, a batch takes 20", "`train.recipe.batch_size` 240"],
        ),
        ({"dataset.split.train_from": "2022-05-23"}, ["usable sessions: train 2", "lookback of 251"]),
        ({"dataset.split.embargo": 40}, ["validation 0", "an embargo of 40"]),
        ({"dataset.graph.neighbours": 12}, ["`dataset.graph.neighbours` is 12", "11 others"]),
        ({"dataset.graph.window": 340}, ["`dataset.graph.window` is 340", "ends at session 338"]),
        ({"evaluation.quantiles": 13}, ["`evaluation.quantiles` is 13", "12 stocks"]),
        ({"evaluation.portfolio.delay": 10}, ["needs 30: 20 returns", "`evaluation.portfolio.delay`"]),
        ({"train.recipe.batch_size": 1284}, ["the train split has 102 sessions, a batch takes 107"]),
        ({"numerics.precision": "tf32"}, ["`numerics.precision` is tf32", "`numerics.device` is cpu", "NVIDIA GPUs"]),
        ({"numerics.precision": "bf16"}, ["`numerics.precision` is bf16", "many times more slowly than float32"]),
        ({"numerics.shares": 13}, ["`numerics.shares` is 13", "`train.recipe.batch_stocks`"]),
        ({"numerics.shares": 12, "quotes.listed_later": 0.2}, ["11 stocks trade in a batch of 20 sessions"]),
        ({"baselines.momentum": "mom_999"}, ["`baselines.momentum` is `mom_999`", "99 features"]),
        ({"quotes.planted.slow": 0.5, "quotes.planted.reversal": 0.5, "quotes.planted.neighbours": 0.5}, ["0.7"]),
        ({"model.backbone.hidden_size": 100_000}, ["`model.backbone.hidden_size` 100000", "TB of memory"]),
        ({"evaluation.bootstrap.draws": 10**12}, ["`evaluation.bootstrap.draws` 1000000000000"]),
        (WALK | {"evaluation.walk_forward.test": 10}, ["folds [1, 2] has 20 sessions and needs 21"]),
        (WALK | {"evaluation.walk_forward.folds": [9]}, ["fold 9 of `evaluation.walk_forward.folds` has no session"]),
        (WALK | {"evaluation.walk_forward.validation": 9}, ["fold 1 has 9 usable validation sessions and needs 10"]),
        (WALK | {"train.recipe.batch_size": 732}, ["the train of fold 1 has 60 sessions, a batch takes 61"]),
    ],
)
def test_a_plan_that_cannot_work_is_refused_with_its_parameter_and_values(
    changes: dict[str, Any], texts: list[str]
) -> None:
    error = refusal(config.parse(tree_of(changes)), machine=True)
    assert [text for text in texts if text not in str(error)] == []


@pytest.mark.parametrize(("key", "value"), [("quotes.stocks", 9), ("evaluation.portfolio.delay", 10)])
def test_the_first_stage_refuses_before_it_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, value: Any
) -> None:
    end = run(tree_of({key: value}), tmp_path, monkeypatch.chdir)
    assert end.stage == "quotes"
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def test_folds_that_are_not_trained_refuse_nothing_unless_they_are_shown() -> None:
    params = params_of(evaluation__walk_forward=TINY["evaluation.walk_forward"] | {"test": 5, "folds": [1]})
    preflight.check(params)
    error = refusal(params, walk_forward=True)
    assert isinstance(error, ConfigError)
    assert "the joined test of folds [1] has 5 sessions and needs 21" in error.message
    assert "`evaluation.walk_forward.test` and `folds`" in error.hint


def test_the_preflight_sees_the_bars_that_the_source_makes(tmp_path: Path) -> None:
    """Of the parameters alone as of the quotes, but for suspended stocks."""
    params = params_of(quotes__listed_later=0.2, quotes__delisted=0.2, quotes__end="2021-06-30").quotes
    assert isinstance(params, SyntheticQuotes)
    (tmp_path / "quotes").mkdir()
    write(make(params), tmp_path / "quotes")
    known, made = listed(params), read_quotes(tmp_path / "quotes")
    assert known is not None
    assert made is not None
    assert (known.sessions == made.sessions).all()
    assert (known.trading_TS == made.trading_TS).all()
    (tmp_path / "dataset/targets").mkdir(parents=True)
    pl.read_parquet(tmp_path / "quotes/bars.parquet").write_parquet(tmp_path / "dataset/targets/all.parquet")
    write_json({"targets/all.parquet": {}}, tmp_path / "dataset" / CONTENTS)
    read = read_dataset(tmp_path / "dataset")
    assert read is not None
    assert (read.trading_TS == made.trading_TS).all()


def test_a_folder_that_cannot_be_read_is_left_to_the_stage_that_reads_it(tmp_path: Path) -> None:
    assert read_quotes(tmp_path) is None
    assert read_dataset(tmp_path) is None
    (tmp_path / "bars.parquet").write_bytes(b"PAR1")
    assert read_quotes(tmp_path) is None


def test_a_source_without_a_calendar_is_checked_when_it_has_one(tmp_path: Path) -> None:
    of_file = config.load(compose(tmp_path / "p.yaml", "quotes=file", "quotes.inputs.bars=b.csv"))
    preflight.check(of_file)
    tiny = params_of()
    market = listed(tiny.quotes)  # type: ignore[arg-type]
    assert market is not None
    few = Market(market.sessions, market.trading_TS[:, : MIN_STOCKS - 1])
    error = refusal(replace(tiny, quotes=of_file.quotes), market=few)
    assert "the market has 9 stocks (`quotes.inputs.bars` b.csv)" in error.message


@settings(max_examples=40)
@given(st.integers(19, 45), st.integers(0, 25), st.booleans())
def test_the_preflight_refuses_the_lengths_that_the_evaluation_refuses(length: int, delay: int, ends: bool) -> None:
    """The shorter of what both see: returns of a portfolio, to the last session of the data (`ends`) or not."""
    tiny = params_of()
    portfolio = replace(tiny.evaluation.portfolio, delay=delay)
    params = replace(tiny, evaluation=replace(tiny.evaluation, portfolio=portfolio))
    returns_TS = np.full((length, 12), 0.01)
    if ends:
        returns_TS[-1] = np.nan
    sessions = np.datetime64("2024-01-01") + np.arange(length + (not ends))
    market = Market(sessions, np.ones((len(sessions), 12), bool))
    held = trade(
        np.tile([1 / 12, -1 / 12], (length, 6)),
        calm(length, 12, prices_after(returns_TS)),
        sessions[:length],
        portfolio,
    )

    def refuses(check: Any, *arguments: Any) -> bool:
        try:
            check(*arguments)
        except UserError:
            return True
        return False

    assert refuses(_require_returns, params, market, Period("", (0, length - 1), "")) == refuses(
        _check_length, held, delay
    )


def test_the_bounds_of_disk_and_memory_are_reported_with_what_is_there() -> None:
    with pytest.raises(MachineError, match=r"take at least 2\.0 GB, and 1\.0 GB are free: 99 features"):
        sizes.require_disk(2 * 10**9, 10**9, 99)
    sizes.require_disk(10**9, 10**9, 99)
    need = sizes.Need("a batch", "`train.recipe.batch_size` 9", 2 * 10**9)
    with pytest.raises(MachineError, match=r"a batch \(`train.recipe.batch_size` 9\) takes at least 2\.0 GB of memory"):
        sizes.require_memory([need], 10**9)
    sizes.require_memory([need], 2 * 10**9)


def test_the_bound_of_the_disk_is_below_what_tier1_takes(tmp_path: Path) -> None:
    """Its dataset has 5,340,666,201 bytes (benchmarks/results/dataset-2026-11-25.md), and its panel 7.6 GB."""
    params = config.load(compose(tmp_path / "params.yaml", "tier=tier1"))
    market = listed(params.quotes)  # type: ignore[arg-type]
    assert market is not None
    assert (len(market.sessions), market.stocks) == (1224, 3800)
    assert 12.0e9 < sizes.disk(params, market, 395) < 12.9e9


def test_the_weights_are_most_of_those_of_the_network(small: Model) -> None:
    """Memory of weights: 16 bytes for each that is counted."""
    features, size = 50, small.backbone.hidden_size
    made = Network(PHASES["finetune"].architecture("0" * 64, features, [1, 5], small), seed=1)
    counted = sum(parameter.numel() for parameter in made.parameters())
    tiny = replace(params_of(), model=small)
    market = listed(tiny.quotes)  # type: ignore[arg-type]
    assert market is not None
    needs = {need.what: need.size for need in sizes.memory(tiny, market, features)}
    assert size == tiny.model.backbone.hidden_size
    assert 0.5 * counted < needs["the weights and the optimizer's state"] / 16 <= counted


def test_no_heavy_library_is_loaded_where_the_data_exists() -> None:
    program = (
        "import sys; from gogooku3 import preflight; print(sorted({'torch', 'pandas', 'scipy', 'sklearn', 'dvc'}"
        " & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_lookback_longer_than_the_history_is_refused() -> None:
    error = refusal(params_of(quotes__start="2021-10-01", dataset__split__train_from="2021-12-20"))
    assert isinstance(error, DataError)
    assert "training after a lookback of 251" in error.message
