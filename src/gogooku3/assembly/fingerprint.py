"""What the bytes of a month depend on, as one hash: the recipe, and every bar that its features and graphs look at."""

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
"""Which features there are is known by their definitions; targets are made anew each time."""


def recipe(features: Sequence[Feature], params: Dataset) -> str:
    """The parameters that decide a month, the definitions of its features, the code that computes them, how files are
    written, and what it runs on: versions, and the kernels that NumPy takes here for its functions."""
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
    """[T] hash of each session: its day and index level, its stocks with their groups, and their bars."""
    groups = zip(market.codes, market.sectors, market.segments, strict=True)
    stock_S = np.array([hashlib.sha256("\0".join(names).encode()).digest() for names in groups], dtype="S32")
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
    """The hash of what is known from tables beside the bars, for each bar of a market."""
    digest = hashlib.sha256()
    for name, published in market.joined.items():
        known_TS = published.at(market.sessions, market.codes)
        digest.update(name.encode() + b"\0" + known_TS[market.present_TS].tobytes())
    return digest.digest()


def cache_key(recipe: str, digests: Sequence[bytes], known: bytes, first_session: int) -> str:
    """The hash of a month: of its recipe, the sessions that it looks at, and how many came before its own.

    Args:
        digests: of the sessions of its longest lookback and its own.
        known: `joined_digest` of its own sessions, which is all that joined features look at.
        first_session: number of the month's first session in all of history, which decides when graphs are made.
    """
    return hashlib.sha256(recipe.encode() + first_session.to_bytes(8, "little") + known + b"".join(digests)).hexdigest()


@cache
def _code() -> str:
    """The hash of the modules that compute the values of a month (`gogooku3.features.month`)."""
    package = Path(__file__).parents[1]
    files = {file for name in CODE for file in [package / name, *(package / name).rglob("*.py")] if file.is_file()}
    digest = hashlib.sha256()
    for path in sorted(files - {package / name for name in NOT_OF_A_MONTH}):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
