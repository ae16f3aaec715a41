"""gogooku3: train, package and get back ATFT-GAT-FAN models that rank Japanese equities."""
