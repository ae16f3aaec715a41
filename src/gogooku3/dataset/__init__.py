"""From bars to the panel: features, targets, graph, splits, and the files that hold them."""
