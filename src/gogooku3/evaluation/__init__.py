"""Metrics of scores by session, the one portfolio, their uncertainty, and the series that DVC plots."""
