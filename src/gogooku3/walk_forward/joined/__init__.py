"""The test periods of all folds joined to one out-of-sample series, and its evaluation."""
