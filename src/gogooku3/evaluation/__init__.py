"""Backtest and evaluation: scores become a long-short portfolio, its metrics, baseline comparison and breakdowns."""
