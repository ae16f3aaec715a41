"""What a model's skill comes from: families of features, neighbours, phases of training, and what it weighs."""
