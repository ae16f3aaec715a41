"""Daily bars, listing and TOPIX of the Tokyo exchange, from J-Quants (API v2).

`download` asks the API and keeps what it gives, month by month, in an append-only folder (`raw`); `convert` turns that
folder into quotes, offline. Only the first needs the official client, a key and a network: no stage of the pipeline
ever does.
"""
