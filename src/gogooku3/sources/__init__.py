"""Where bars come from: a synthetic market, any file or J-Quants, checked and brought into the schema of quotes."""
