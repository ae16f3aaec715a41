"""Selects the data source of the parameters; imports only that one, as readers of quotes need none."""

from __future__ import annotations

from gogooku3.config import quotes as config
from gogooku3.quotes.schema import Quotes


def make(quotes: config.Quotes) -> Quotes:
    """Bars, listing and index from the data source that section `quotes` of the parameters selects.

    Raises:
        ConfigError: the parameters of a synthetic market are impossible.
        DataError: a file or folder cannot be read, or bars break a rule with the policy `error`.
    """
    if isinstance(quotes, config.SyntheticQuotes):
        from gogooku3.sources.synthetic import market

        return market.make(quotes)
    if isinstance(quotes, config.JQuantsQuotes):
        from gogooku3.sources.jquants import convert

        return convert.make(quotes)
    from gogooku3.sources import file

    return file.make(quotes)
