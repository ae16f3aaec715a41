"""Scores turned into a portfolio and its metrics, beside baselines, by session, year and state of the market."""
