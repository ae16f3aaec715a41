"""Features by family, one file per family; a feature is one declaration in its family's `FEATURES`.

`gogooku3.cli.feature_reference` explains the letters in the definitions; mean_n, std_n and so on are those of
`gogooku3.features.rolling`.
"""
