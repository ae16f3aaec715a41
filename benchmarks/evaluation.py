"""Benchmark of the evaluation of a full-size test split: 3,800 stocks, 180 sessions, 4 horizons, 1,000 draws.

    python benchmarks/evaluation.py [--stocks 3800] [--sessions 180] [--draws 1000] [--runs 3] [--out FILE]

Prints Markdown, and writes it to FILE. Times the model alone, its details, and the model with its five baselines, the
differences and the details, on random scores and returns in memory, without disk I/O. The numerics are pinned as in
the pipeline.
"""

from __future__ import annotations

import argparse
import platform
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from importlib.metadata import version
from pathlib import Path

from measures.document import aims, commit, machine, paragraph, table

from gogooku3 import config
from gogooku3.runtime import numerics

PARAMS = config.load(Path(__file__).parents[1] / "params.yaml")
numerics.pin(PARAMS.numerics)

import numpy as np  # noqa: E402

from gogooku3.evaluation.baseline_comparison import compare_with_baselines  # noqa: E402
from gogooku3.evaluation.details import details  # noqa: E402
from gogooku3.evaluation.evaluate import Outcome, evaluate  # noqa: E402
from gogooku3.evaluation.market_state import MarketState  # noqa: E402
from gogooku3.evaluation.prices import Prices  # noqa: E402

HORIZONS = (1, 5, 10, 20)
RIVALS = ("ridge", "lightgbm", "reversal", "momentum")
AIM_S = 30
"""Target in seconds of the full evaluation at full size, on two cores."""
FULL = "the model with its five baselines, their differences, and its details"


def outcome_of(sessions: int, stocks: int, random: np.random.Generator) -> Outcome:
    """Returns with a common factor and fat tails, 1 % missing bars, 33 sectors."""
    steps_TS = 0.01 * random.standard_normal((sessions, 1)) + 0.02 * random.standard_t(5, (sessions, stocks))
    close_TS = 100 * np.exp(np.cumsum(steps_TS, axis=0))
    close_TS[random.random(close_TS.shape) < 0.01] = np.nan
    targets_TSH = np.full((sessions, stocks, len(HORIZONS)), np.nan, np.float32)
    for column, horizon in enumerate(HORIZONS):
        targets_TSH[:-horizon, :, column] = close_TS[horizon:] / close_TS[:-horizon] - 1
    index_T = 0.01 * random.standard_normal(sessions)
    market_state = MarketState(
        sectors=tuple(f"sector {stock % 33}" for stock in range(stocks)),
        close_TS=close_TS,
        traded_value_TS=10 ** random.uniform(6, 10, close_TS.shape),
        next_index_return_T=index_T,
        trend_T=index_T,
        volatility_T=np.abs(index_T),
        stock_volatility_TS=np.full(close_TS.shape, 0.02),
        prices=Prices.of_closes(close_TS, np.isfinite(close_TS), np.full(stocks, sessions)),
    )
    return Outcome(targets_TSH, np.datetime64("2025-01-06") + np.arange(sessions), HORIZONS, market_state)


def median(program: Callable[[], object], runs: int) -> float:
    """Median run time in seconds."""
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        program()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def markdown(seconds: dict[str, float], size: argparse.Namespace) -> str:
    """The document."""
    versions = {"Python": platform.python_version()} | {name: version(name) for name in ("numpy", "polars")}
    full, peak = seconds[FULL], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    parts = (
        f"# Evaluation, {date.today()}",
        paragraph(
            f"By `benchmarks/evaluation.py` at commit {commit()}, on {machine()};"
            f" {', '.join(f'{name} {number}' for name, number in versions.items())}. A test split of"
            f" {size.stocks:,} stocks and {size.sessions:,} sessions, {len(HORIZONS)} horizons, {size.draws:,} draws of"
            f" the bootstrap, all in memory. Medians of {size.runs} runs."
        ),
        aims([(FULL, f"< {AIM_S} s", f"{full:.1f} s", full < AIM_S)]),
        table(("", "s"), [(name, f"{took:.2f}") for name, took in seconds.items()]),
        f"Peak memory of the process: {peak:,.0f} MiB.",
    )
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stocks", type=int, default=3800)
    parser.add_argument("--sessions", type=int, default=180)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    if options.out and not options.out.parent.is_dir():
        parser.error(f"{options.out.parent} is not a folder")
    random = np.random.default_rng(0)
    outcome = outcome_of(options.sessions, options.stocks, random)
    shape = (options.sessions, options.stocks, len(HORIZONS))
    scores = {name: random.standard_normal(shape, np.float32) for name in ("model", *RIVALS)}
    params = replace(PARAMS.evaluation, bootstrap=replace(PARAMS.evaluation.bootstrap, draws=options.draws))
    capped = replace(params, portfolio=replace(params.portfolio, max_weight=3e-4, sector_neutral=True))
    rivals = {name: scores[name] for name in RIVALS}

    evaluated = evaluate(scores["model"], outcome, params)

    def of_the_model() -> None:
        details(evaluated, scores["model"], outcome, outcome.market_state, params)

    def with_baselines() -> None:
        compare_with_baselines(evaluate(scores["model"], outcome, params), scores["model"], rivals, outcome, params)
        of_the_model()

    programs: dict[str, Callable[[], object]] = {
        "the model": lambda: evaluate(scores["model"], outcome, params),
        "the model, with a cap that binds and sector by sector": lambda: evaluate(scores["model"], outcome, capped),
        "the details of the model": of_the_model,
        FULL: with_baselines,
    }
    text = markdown({name: median(program, options.runs) for name, program in programs.items()}, options)
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
