"""Data source: a synthetic market drawn from a seed, with planted alpha signals of known strength."""
