"""J-Quants' codes of sectors and market segments, and their English names.

https://jpx-jquants.com/en/spec/eq-master/sector33code and …/marketcode
"""

from __future__ import annotations

import polars as pl

from gogooku3.errors import DataError, abbreviate

SECTORS = {
    "0050": "Fishery, Agriculture & Forestry",
    "1050": "Mining",
    "2050": "Construction",
    "3050": "Foods",
    "3100": "Textiles & Apparels",
    "3150": "Pulp & Paper",
    "3200": "Chemicals",
    "3250": "Pharmaceutical",
    "3300": "Oil & Coal Products",
    "3350": "Rubber Products",
    "3400": "Glass & Ceramics Products",
    "3450": "Iron & Steel",
    "3500": "Nonferrous Metals",
    "3550": "Metal Products",
    "3600": "Machinery",
    "3650": "Electric Appliances",
    "3700": "Transportation Equipment",
    "3750": "Precision Instruments",
    "3800": "Other Products",
    "4050": "Electric Power & Gas",
    "5050": "Land Transportation",
    "5100": "Marine Transportation",
    "5150": "Air Transportation",
    "5200": "Warehousing & Harbor Transportation",
    "5250": "Information & Communication",
    "6050": "Wholesale Trade",
    "6100": "Retail Trade",
    "7050": "Banks",
    "7100": "Securities & Commodity Futures",
    "7150": "Insurance",
    "7200": "Other Financing Business",
    "8050": "Real Estate",
    "9050": "Services",
    "9999": "Other",
}
SEGMENTS = {
    "0101": "1st Section",
    "0102": "2nd Section",
    "0104": "Mothers",
    "0105": "TOKYO PRO MARKET",
    "0106": "JASDAQ Standard",
    "0107": "JASDAQ Growth",
    "0109": "Others",
    "0111": "Prime",
    "0112": "Standard",
    "0113": "Growth",
}
"""`Others` are securities that are not company shares: ETFs, REITs, …"""


def named(codes: pl.Series, names: dict[str, str], what: str) -> pl.Series:
    """Maps codes to names; raises `DataError` for an unknown code."""
    unknown = codes.filter(~codes.is_in(list(names))).unique().sort()
    if not unknown.is_empty():
        raise DataError(
            f"J-Quants lists stocks in {what} {abbreviate(unknown)}, which gogooku3 does not know",
            hint="add the new code of the exchange to `src/gogooku3/sources/jquants/codes.py`",
        )
    return codes.replace_strict(names)
