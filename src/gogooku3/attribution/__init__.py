"""Attribution of a model's RankIC: permutation importance, graph neighbours, training phases, attention weights."""
