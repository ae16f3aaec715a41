"""Size of the test of a mean RankIC, and coverage of its interval, on noise of several persistences.

    python benchmarks/inference.py --trials 2000

Prints a table in Markdown: how often a true mean of zero is called significant at 5 %, by sessions, persistence of the
scores and horizon; the last column is the mean over the horizons. An interval covers zero in the other cases.
"""

from __future__ import annotations

import argparse

import numpy as np
from measures.noise import HORIZONS, rank_ics_of_noise

from gogooku3.metrics.session_mean import session_mean


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=2000)
    trials = parser.parse_args().trials
    print(f"| sessions | persistence | {' | '.join(f'{h}' for h in HORIZONS)} | mean |")
    print("|---|---|" + "---|" * (len(HORIZONS) + 1))
    for sessions in (60, 146, 250, 500):
        for persistence in (0.0, 0.9, 0.99, 1.0):
            series_NTH = rank_ics_of_noise(trials, sessions, persistence)
            shares = [_rejected(series_NTH[..., h], horizon) for h, horizon in enumerate(HORIZONS)]
            shares.append(_rejected(series_NTH, max(HORIZONS)))
            cells = [f"{sessions}", f"{persistence:g}", *(f"{100 * each:.1f}" for each in shares)]
            print(f"| {' | '.join(cells)} |", flush=True)


def _rejected(series: np.ndarray, horizon: int) -> float:
    bounds = [session_mean(each, horizon).bounds for each in series]
    return float(np.mean([not low <= 0 <= high for low, high in bounds]))


if __name__ == "__main__":
    main()
