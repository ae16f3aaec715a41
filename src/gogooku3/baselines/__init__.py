"""Baseline models on the same features and split: ridge regression, LightGBM, perceptron, factors."""
