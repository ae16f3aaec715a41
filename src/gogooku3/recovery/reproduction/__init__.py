"""Two runs of one pipeline, compared down to step and tensor."""
