"""Stage `dataset`: features, targets, neighbour graph and splits from the quotes."""

from __future__ import annotations

from pathlib import Path

from gogooku3.config import Params
from gogooku3.dataset.build import build
from gogooku3.dataset.market import Market
from gogooku3.files import replaced
from gogooku3.quotes.folder import read


def run(params: Params) -> None:
    """Writes `data/dataset/`."""
    quotes = read(Path("data/quotes"))
    market = Market.from_frames(quotes.bars, quotes.listed, quotes.index)
    with replaced(Path("data/dataset")) as folder:
        build(market, params.dataset, folder)
