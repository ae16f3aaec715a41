"""Our features of a panel: `python -m peers.ours PANEL RESULT`."""

from __future__ import annotations

import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

from gogooku3.dataset.elementwise import Floats
from gogooku3.features.block import STOCKS_AT_ONCE
from gogooku3.features.feature import Feature
from gogooku3.features.market import Market
from gogooku3.features.registry import select
from peers.definitions import DEFINITIONS
from peers.panel import FIELDS, Panel, Result


def market_of(panel: Panel) -> Market:
    """The market without sectors and index, which no definition needs."""
    fields = {f"{name}_TS": x_TS.astype(np.float64) for name, x_TS in zip(FIELDS, panel.fields_FTS, strict=True)}
    unknown = ("",) * len(panel.codes)
    return Market(
        sessions=panel.sessions,
        codes=tuple(panel.codes.tolist()),
        sectors=unknown,
        segments=unknown,
        index_T=np.full(len(panel.sessions), np.nan),
        **fields,
    )


def computed(market: Market, features: list[Feature]) -> tuple[Floats, float]:
    """[F, T, S] values, computed on tiles of stocks as in the dataset build, and their CPU seconds."""
    _ = market.sector_return_TS  # cached for the full market before it is split into tiles
    began = time.process_time()
    values_FTS = np.empty((len(features), *market.close_TS.shape))
    for first in range(0, len(market.codes), STOCKS_AT_ONCE):
        tile = slice(first, min(first + STOCKS_AT_ONCE, len(market.codes)))
        part = market.columns(tile.start, tile.stop)
        for values_TS, feature in zip(values_FTS, features, strict=True):
            values_TS[:, tile] = feature.own(part)
    return values_FTS, time.process_time() - began


def main(panel: str, result: str) -> None:
    read = Panel.read(Path(panel))
    market = market_of(read)
    of_name = {feature.name: feature for feature in select("full")}
    features = [of_name[definition.name] for definition in DEFINITIONS]
    alone = [computed(market, [feature])[1] for feature in features]
    values_DTS, together = computed(market, features)
    Result(values_DTS, alone, together, {"numpy": version("numpy")}).write(Path(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
