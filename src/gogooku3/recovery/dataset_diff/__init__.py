"""`dataset diff`: in which months, columns and rows two datasets differ."""
