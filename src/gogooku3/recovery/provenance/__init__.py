"""Provenance of a release: how long, on what and with which libraries its stages ran, and the logs of its training.

It is one object per release, named in the tag and stored next to DVC's objects. No stage reads or writes it.
"""
