"""One self-contained file per release, for the day when neither the bucket nor the Git server is there."""
