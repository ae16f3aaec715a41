"""Formulas: how well scores rank, what returns are worth, and how sure that is."""
