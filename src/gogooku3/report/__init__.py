"""HTML report pages: the results of a tier's model with a verdict, and the comparison of two models."""
