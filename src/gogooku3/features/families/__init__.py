"""Features by family, one file a family; a feature is one declaration in its family's `FEATURES`.

What the letters in the definitions mean stands in `gogooku3.cli.feature_reference`; mean_n, std_n and so on are those
of `gogooku3.features.rolling`.
"""
