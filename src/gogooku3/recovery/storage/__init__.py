"""Objects and where they are: the bucket, the local cache, other places."""
