"""Data quality: collects statistics of a dataset in one pass, runs checks on them, and writes an HTML page."""
