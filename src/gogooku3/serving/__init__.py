"""Scores new bars with a released model, outside of the pipeline: the verb `score`, and the library `gogooku3.load`."""
