"""Gain of each training phase: RankIC of its own weights, minus that of the phase before.

For an ensemble, the weights of a phase are those of all members after it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gogooku3.attribution.rank_ic_series import rank_ics
from gogooku3.metrics.cross_section import Floats
from gogooku3.metrics.paired_difference import by_horizon
from gogooku3.model.ensemble import Model
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.scoring import score_members
from gogooku3.training.phases import PHASES

SPLITS = ("validation", "test")


def gains(
    load_phase: Callable[[str], Model],
    inputs: PanelOnDevice,
    seeds: Sequence[int],
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """RankIC by split and phase; under `gain` the difference to the phase before, under `seeds` that of each member.

    Args:
        load_phase: loads the model of a phase, by its name, in evaluation mode.
        seeds: seed of each member; for a single network the table has no `seeds`.
        progress: called with each phase before it is scored.
    """
    panel = inputs.panel
    first, last = panel.split[SPLITS[0]][0], panel.split[SPLITS[-1]][1]
    table: dict[str, Any] = {split: {} for split in SPLITS}
    previous: dict[str, list[Floats]] = {}

    def estimates(rank_ic_TH: Floats) -> dict[str, Any]:
        return by_horizon(rank_ic_TH, panel.horizons)

    for name in PHASES:
        progress(f"phase {name}")
        scores_TSH, members = score_members(load_phase(name), inputs, first, last)
        for split in SPLITS:
            begin, end = panel.split[split]
            inside = slice(begin - first, end + 1 - first)
            # the model first, then its members
            rank_ics_TH = [rank_ics(each_TSH[inside], panel, begin) for each_TSH in (scores_TSH, *members)]
            gains_TH = [now - before for now, before in zip(rank_ics_TH, previous.get(split, []), strict=False)]
            row = estimates(rank_ics_TH[0]) | {"gain": estimates(gains_TH[0]) if gains_TH else None}
            if members and gains_TH:
                of_members = zip(seeds, gains_TH[1:], strict=True)
                row["seeds"] = [{"seed": seed, **estimates(gain_TH)} for seed, gain_TH in of_members]
            table[split][name] = row
            previous[split] = rank_ics_TH
    return table
