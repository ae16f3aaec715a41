"""gogooku3: train, package and get back ATFT-GAT-FAN models that rank Japanese equities."""

from gogooku3 import startup

startup.require_or_exit()
