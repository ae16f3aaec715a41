"""The model package of a tier: weights, configuration, schema, model card, environment, golden predictions, predict."""
