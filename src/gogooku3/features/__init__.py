"""Computes features, targets and the neighbour graph from bars, per session and stock, without look-ahead."""
