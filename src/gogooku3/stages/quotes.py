"""Stage `quotes`: daily OHLCV bars, listing and index from the source in `params.yaml`, in one schema."""

from __future__ import annotations

from gogooku3 import paths
from gogooku3.config import Params
from gogooku3.quotes.folder import write
from gogooku3.runtime.files import replaced
from gogooku3.sources.source import make


def run(params: Params) -> None:
    """Writes `data/quotes/`."""
    quotes = make(params.quotes)
    with replaced(paths.QUOTES) as folder:
        write(quotes, folder)
