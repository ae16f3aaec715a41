"""Chooses the source that the parameters name, and imports that one alone: those who only read quotes need none."""

from __future__ import annotations

from gogooku3.config import quotes as config
from gogooku3.quotes.schema import Quotes


def make(quotes: config.Quotes) -> Quotes:
    """Bars, listings and index from the source that section `quotes` of the parameters names.

    Raises:
        ConfigError: a synthetic market that cannot be made.
        DataError: a file or folder that cannot be read, or bars that break a rule whose policy is `error`.
    """
    if isinstance(quotes, config.SyntheticQuotes):
        from gogooku3.sources.synthetic import market

        return market.make(quotes)
    if isinstance(quotes, config.JQuantsQuotes):
        from gogooku3.sources.jquants import convert

        return convert.make(quotes)
    from gogooku3.sources import file

    return file.make(quotes)
