"""Content-addressed storage: remotes (the bucket), the local cache and other sources of objects."""
