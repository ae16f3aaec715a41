"""The checks of `verify`, one module per subject: each function checks one thing and returns a finding."""
