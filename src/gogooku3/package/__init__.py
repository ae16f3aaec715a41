"""What a tier delivers: weights, configuration, schema, card, environment, golden predictions, and how to use them."""
