"""Where things stand in the repository, as `dvc.yaml` says."""

from __future__ import annotations

from pathlib import Path

WORKSPACE = "workspace"
"""How the working tree is named beside Git revisions."""

LOCK = Path("dvc.lock")
DATA = Path("data")
"""Quotes, dataset and predictions: what scoring and retraining need and a model by itself does not."""
DATASET = DATA / "dataset"
PACKAGE = Path("models/package")
WEIGHTS = PACKAGE / "model.safetensors"
