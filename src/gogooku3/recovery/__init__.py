"""Releases and their recovery: tags, remote storage, integrity checks, verification."""
