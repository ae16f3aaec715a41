"""Searching for better parameters: Optuna proposes, DVC experiments try, Git remembers."""
