"""The format of a dataset: its files, their schema and contents, splits, and how values are scaled."""
