"""Data source J-Quants (API v2): daily bars, listing and TOPIX of the Tokyo exchange.

`gogooku3.download` stores the API's responses month by month in an append-only folder (`raw`); `convert` converts that
folder to quotes, offline. Only the download needs the official client, an API key and a network; pipeline stages never
do.
"""
