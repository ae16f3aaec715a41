"""Gain of each training phase: RankIC of its own weights, minus that of the phase before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gogooku3.attribution.rank_ic_series import rank_ics
from gogooku3.config.evaluation import Bootstrap
from gogooku3.metrics.cross_section import Floats
from gogooku3.metrics.paired_difference import by_horizon
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.network import Network
from gogooku3.model.scoring import score
from gogooku3.training.phases import PHASES

SPLITS = ("validation", "test")


def gains(
    load_phase: Callable[[str], Network], inputs: PanelOnDevice, bootstrap: Bootstrap, progress: Callable[[str], None]
) -> dict[str, Any]:
    """RankIC by split and phase, and under `gain` the difference to the phase before.

    Args:
        load_phase: loads the network of a phase, by its name, in evaluation mode.
        progress: called with each phase before it is scored.
    """
    panel = inputs.panel
    first, last = panel.split[SPLITS[0]][0], panel.split[SPLITS[-1]][1]
    table: dict[str, Any] = {split: {} for split in SPLITS}
    previous: dict[str, Floats] = {}
    for name, phase in PHASES.items():
        progress(f"phase {name}")
        scores_TSH = score(load_phase(name), inputs, first, last)
        for split in SPLITS:
            begin, end = panel.split[split]
            rank_ic_TH = rank_ics(scores_TSH[begin - first : end + 1 - first], panel, begin)
            gain_TH = None if phase.previous is None else rank_ic_TH - previous[split]
            table[split][name] = by_horizon(rank_ic_TH, panel.horizons, bootstrap) | {
                "gain": None if gain_TH is None else by_horizon(gain_TH, panel.horizons, bootstrap)
            }
            previous[split] = rank_ic_TH
    return table
