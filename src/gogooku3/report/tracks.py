"""The model and its baselines as lines of a chart: each with its title, colour and dashes, wherever it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from gogooku3.package.results import TITLES
from gogooku3.pages.palette import DASHES

MODEL = "model"


@dataclass(frozen=True)
class Track:
    """A line."""

    name: str
    title: str
    place: int
    """Among the colours, from 0."""

    @property
    def colour(self) -> str:
        """As a style of the page."""
        return f"var(--track-{self.place + 1})"

    @property
    def dashes(self) -> list[int]:
        """Strokes and gaps."""
        return DASHES[self.place]


_TITLES = {MODEL: "the model"} | {name: TITLES[name] for name in ("lightgbm", "ridge")} | TITLES

ALL = [Track(name, title, place) for place, (name, title) in enumerate(_TITLES.items())]
"""The model, then the baselines that learn, then the others."""


def scales(tracks: Sequence[Track]) -> tuple[alt.Scale, alt.Scale]:
    """Colours and dashes by name."""
    names = [track.name for track in tracks]
    colours = alt.Scale(domain=names, range=[track.colour for track in tracks])
    return colours, alt.Scale(domain=names, range=[track.dashes for track in tracks])
