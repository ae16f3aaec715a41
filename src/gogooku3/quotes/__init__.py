"""Daily bars, listing and index: their schema, and the folder that holds them."""
