"""Walk-forward evaluation: folds that are cut, trained and scored each by itself, and their tests as one series."""
