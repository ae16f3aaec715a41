"""What a model must beat, on the same features and split: ridge, LightGBM, reversal, momentum."""
