"""Our features against the same ones in pandas and qlib: same panel, same values, one core each.

`definitions` defines each feature for all three engines; `panel` is their input and output format; `ours`,
`rolling_pandas` and `expressions_qlib` run in separate processes; `comparison` runs them interleaved and compares.
"""
