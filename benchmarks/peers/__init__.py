"""Features of ours beside the same ones in pandas and in qlib: the same panel, the same values, one core each.

`definitions` says each feature in the words of all three; `panel` is what they read and write; `ours`, `rolling_pandas`
and `expressions_qlib` each do the work in a process of its own; `comparison` runs them in turn and compares.
"""
