"""What the evaluation of a full-size test split costs: 3,800 stocks, 180 sessions, four horizons, 1,000 draws.

    python benchmarks/evaluation.py [--stocks 3800] [--sessions 180] [--draws 1000] [--runs 3] [--json FILE]

Times the model alone, and the model with its five baselines and the differences, on scores and returns made here; what
is read from disk is not part of it. The numerics are pinned as in the pipeline.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from gogooku3 import config, numerics

PARAMS = config.load(Path(__file__).parents[1] / "params.yaml")
numerics.pin(PARAMS.numerics)

import numpy as np  # noqa: E402

from gogooku3.evaluation.against import against  # noqa: E402
from gogooku3.evaluation.conditions import Conditions  # noqa: E402
from gogooku3.evaluation.evaluate import Outcome, evaluate  # noqa: E402

HORIZONS = (1, 5, 10, 20)
RIVALS = ("ridge", "lightgbm", "reversal", "momentum")


def outcome_of(sessions: int, stocks: int, random: np.random.Generator) -> Outcome:
    """Returns with a common part and fat tails, one bar in a hundred missing, thirty-three sectors."""
    steps_TS = 0.01 * random.standard_normal((sessions, 1)) + 0.02 * random.standard_t(5, (sessions, stocks))
    close_TS = 100 * np.exp(np.cumsum(steps_TS, axis=0))
    close_TS[random.random(close_TS.shape) < 0.01] = np.nan
    targets_TSH = np.full((sessions, stocks, len(HORIZONS)), np.nan, np.float32)
    for place, horizon in enumerate(HORIZONS):
        targets_TSH[:-horizon, :, place] = close_TS[horizon:] / close_TS[:-horizon] - 1
    index_T = 0.01 * random.standard_normal(sessions)
    conditions = Conditions(
        sectors=tuple(f"sector {place % 33}" for place in range(stocks)),
        close_TS=close_TS,
        traded_value_TS=10 ** random.uniform(6, 10, close_TS.shape),
        next_index_return_T=index_T,
        trend_T=index_T,
        volatility_T=np.abs(index_T),
    )
    return Outcome(targets_TSH, np.datetime64("2025-01-06") + np.arange(sessions), HORIZONS, conditions)


def median(program: Callable[[], object], runs: int) -> float:
    """Seconds of a program."""
    taken = []
    for _ in range(runs):
        began = time.perf_counter()
        program()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stocks", type=int, default=3800)
    parser.add_argument("--sessions", type=int, default=180)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures there too")
    options = parser.parse_args()
    random = np.random.default_rng(0)
    outcome = outcome_of(options.sessions, options.stocks, random)
    shape = (options.sessions, options.stocks, len(HORIZONS))
    scores = {name: random.standard_normal(shape, np.float32) for name in ("model", *RIVALS)}
    params = replace(PARAMS.evaluation, bootstrap=replace(PARAMS.evaluation.bootstrap, draws=options.draws))
    capped = replace(params, portfolio=replace(params.portfolio, max_weight=3e-4, sector_neutral=True))
    model = evaluate(scores["model"], outcome, params)
    rivals = {name: scores[name] for name in RIVALS}
    figures = {
        "model, seconds": median(lambda: evaluate(scores["model"], outcome, params), options.runs),
        "model with a binding cap by sector, seconds": median(
            lambda: evaluate(scores["model"], outcome, capped), options.runs
        ),
        "five baselines and their differences, seconds": median(
            lambda: against(model, scores["model"], rivals, outcome, params), options.runs
        ),
        "peak memory, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    for name, figure in figures.items():
        print(f"{figure:10.2f}  {name}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
