"""Daily OHLCV bars, stock listing and market index: their schema and their folder."""
