"""Getting a model back: tags, bucket, verification."""
