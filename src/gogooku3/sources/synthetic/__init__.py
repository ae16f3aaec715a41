"""A market that is drawn from a seed, with effects of known strength that a model can find."""
