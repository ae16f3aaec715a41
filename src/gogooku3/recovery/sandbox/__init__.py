"""Isolation: new virtual environments, temporary folders and clones, and commands run in subprocesses."""
