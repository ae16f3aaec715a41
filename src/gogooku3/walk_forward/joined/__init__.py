"""The tests of all folds as one out-of-sample series, and what it is worth."""
