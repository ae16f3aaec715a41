"""Data sources of the bars: a synthetic market, a parquet or CSV file, or J-Quants; validated, in the quotes schema."""
