"""Hyperparameter search: Optuna proposes values, DVC experiments run the trials, Git keeps the results."""
