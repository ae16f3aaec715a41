"""What is computed from bars: features, targets and the neighbour graph, session by session and stock by stock."""
