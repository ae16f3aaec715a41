"""Basics of all stages: atomic, deterministic file writes, checksums, and pinned numerics."""
