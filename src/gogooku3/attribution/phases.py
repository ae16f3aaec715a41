"""What each phase of training added: its own checkpoint, measured as the final model is."""

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
    left_by: Callable[[str], Network], inputs: PanelOnDevice, bootstrap: Bootstrap, progress: Callable[[str], None]
) -> dict[str, Any]:
    """By split and phase: RankIC, and under `gain` how much more it is than that of the phase before.

    Args:
        left_by: the network as the phase of a name left it.
        tell: is told of each phase before it is scored.
    """
    panel = inputs.panel
    first, last = panel.split[SPLITS[0]][0], panel.split[SPLITS[-1]][1]
    table: dict[str, Any] = {split: {} for split in SPLITS}
    before: dict[str, Floats] = {}
    for name, phase in PHASES.items():
        progress(f"phase {name}")
        scores_TSH = score(left_by(name), inputs, first, last)
        for split in SPLITS:
            begin, end = panel.split[split]
            skill_TH = rank_ics(scores_TSH[begin - first : end + 1 - first], panel, begin)
            gain_TH = None if phase.previous is None else skill_TH - before[split]
            table[split][name] = by_horizon(skill_TH, panel.horizons, bootstrap) | {
                "gain": None if gain_TH is None else by_horizon(gain_TH, panel.horizons, bootstrap)
            }
            before[split] = skill_TH
    return table
