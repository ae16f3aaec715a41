"""Walk-forward evaluation: plan with purge and embargo, training per fold, joined out-of-sample series."""
