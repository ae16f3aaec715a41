"""Cache key of a month: one hash of all that determines its bytes, the recipe and the bars in its lookback windows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np

from gogooku3.config.dataset import Dataset
from gogooku3.dataset.schema import GRAPH_COLUMNS
from gogooku3.features.feature import Feature
from gogooku3.features.market import Market
from gogooku3.runtime.files import PARQUET

CODE = ("dataset/cross_section.py", "dataset/elementwise.py", "dataset/normalise.py", "features")
NOT_OF_A_MONTH = ("features/subsets.py", "features/targets.py")
"""Not part of the key: the recipe has the selected features' definitions, and each build rewrites the targets."""


def recipe(features: Sequence[Feature], params: Dataset) -> str:
    """Hash of the parameters of a month, its features' definitions, the code that computes them, the parquet settings,
    library versions, and the CPU kernels that NumPy dispatches to on this machine."""
    content = {
        "features": [asdict(feature.column) for feature in features],
        "clip": params.clip,
        "graph": asdict(params.graph),
        "graph_columns": {name: str(dtype) for name, dtype in GRAPH_COLUMNS.items()},
        "code": _code(),
        "writer": PARQUET,
        "versions": {name: version(name) for name in ("numpy", "polars")},
        "kernels": np.lib.introspect.opt_func_info(),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def session_digests(market: Market) -> list[bytes]:
    """[T] hash of each session: date, index level, and the codes, sectors, segments and bars of its stocks."""
    labels = zip(market.codes, market.sectors, market.segments, strict=True)
    stock_S = np.array([hashlib.sha256("\0".join(names).encode()).digest() for names in labels], dtype="S32")
    series = (market.open_TS, market.high_TS, market.low_TS, market.close_TS, market.volume_TS, market.turnover_TS)
    digests = []
    for row, day in enumerate(market.sessions):
        present_S = market.present_TS[row]
        digest = hashlib.sha256(f"{day}".encode() + market.index_T[row : row + 1].tobytes())
        digest.update(stock_S[present_S].tobytes())
        for values_TS in series:
            digest.update(values_TS[row, present_S].tobytes())
        digests.append(digest.digest())
    return digests


def joined_digest(market: Market) -> bytes:
    """Hash of the joined tables' point-in-time values for each bar of a market."""
    digest = hashlib.sha256()
    for name, published in market.joined.items():
        known_TS = published.at(market.sessions, market.codes)
        digest.update(name.encode() + b"\0" + known_TS[market.present_TS].tobytes())
    return digest.digest()


def cache_key(recipe: str, digests: Sequence[bytes], known: bytes, first_session: int) -> str:
    """The cache key of a month.

    Args:
        digests: of the month's sessions and the longest lookback before them.
        known: `joined_digest` of the month's sessions; joined features read no others.
        first_session: index of the month's first session in the whole history, which determines the graph dates.
    """
    return hashlib.sha256(recipe.encode() + first_session.to_bytes(8, "little") + known + b"".join(digests)).hexdigest()


@cache
def _code() -> str:
    """Hash of the modules that compute the values of a month (`gogooku3.features.month`)."""
    package = Path(__file__).parents[1]
    files = {file for name in CODE for file in [package / name, *(package / name).rglob("*.py")] if file.is_file()}
    digest = hashlib.sha256()
    for path in sorted(files - {package / name for name in NOT_OF_A_MONTH}):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
