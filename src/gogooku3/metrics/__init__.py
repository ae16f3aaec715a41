"""Metrics: RankIC and IC, Sharpe ratio and drawdown, bootstrap intervals, t-values, deflated Sharpe ratio."""
