"""Builds a dataset from quotes: month by month, in one process or a pool, with a cache of finished months."""
