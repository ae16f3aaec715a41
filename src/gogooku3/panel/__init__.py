"""The dataset as memory-mapped arrays [sessions, stocks, features], from which batches are cut."""
