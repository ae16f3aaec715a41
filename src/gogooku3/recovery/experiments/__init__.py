"""Experiments as records, from Git alone: what was tried for each tier, what came out, and what was learned."""
