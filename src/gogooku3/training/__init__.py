"""The four-phase training run."""
