"""Where things are in the repository, relative to its root, and where DVC keeps its cache.

`dvc.yaml` names the same outputs. No stage depends on this file: one that wrote elsewhere would lack an output, and DVC
would say so. What lies inside a folder is named by the module that writes it.
"""

from __future__ import annotations

from pathlib import Path

# The experiment: what decides a run, and what it left.

CONF = Path("conf")
"""The groups that compose the parameters."""
PARAMS = Path("params.yaml")
PIPELINE = Path("dvc.yaml")
LOCK = Path("dvc.lock")
"""The hashes of everything that the pipeline read and wrote."""
SOURCE = Path("src")
REQUIREMENTS = Path("requirements.lock")
LIBRARIES = Path("locks")
"""The versions of `REQUIREMENTS` as stages depend on them."""

# Data: quotes, dataset and what was computed from them.

DATA = Path("data")
"""What scoring and retraining need and a model by itself does not."""
RAW_JQUANTS = DATA / "raw/jquants"
"""What `gogooku3 jquants download` keeps."""
QUOTES = DATA / "quotes"
DATASET = DATA / "dataset"
BASELINES = DATA / "baselines.parquet"
"""Scores of the baselines."""
PREDICTIONS = DATA / "predictions.parquet"
"""Scores of the model."""
FOLD_PLANS = DATA / "folds/plan"
FOLD_SCORES = DATA / "folds/scores"
FOLD_BASELINES = DATA / "folds/baselines"


def fold_plan(number: str) -> Path:
    """The dates of one fold of a walk-forward."""
    return FOLD_PLANS / f"{number}.json"


def fold_scores(number: str) -> Path:
    """Scores of the model of one fold."""
    return FOLD_SCORES / f"{number}.parquet"


def fold_baselines(number: str) -> Path:
    """Scores of the baselines of one fold."""
    return FOLD_BASELINES / f"{number}.parquet"


# Models.

MODELS = Path("models")
"""Each phase of training has its folder here."""
PARENT = MODELS / "parent"
"""The released model that training starts from."""
PACKAGE = MODELS / "package"
"""What a tier delivers."""
PACKAGED_WEIGHTS = PACKAGE / "model.safetensors"


def model_of(phase: str) -> Path:
    """The model that a phase of training left, with its state and history."""
    return MODELS / phase


def fold_model(number: str) -> Path:
    """The model of one fold."""
    return MODELS / "folds" / number


# Metrics, and the series that DVC plots.

METRICS = Path("metrics")
BASELINE_METRICS = METRICS / "baselines.json"
ATTRIBUTION = METRICS / "attribution.json"
PLOTS = Path("plots")


def metrics_of(split: str) -> Path:
    """Metrics on `validation`, on `test`, or on the tests of a `walk_forward`."""
    return METRICS / f"{split}.json"


def sessions_of(split: str) -> Path:
    """What the metrics of a split are means of, session by session."""
    return METRICS / "sessions" / f"{split}.csv"


def plot_of(name: str) -> Path:
    """The series of a chart."""
    return PLOTS / f"{name}.csv"


def learning_curve(phase: str) -> Path:
    """The series of a phase's training, epoch by epoch."""
    return PLOTS / "training" / f"{phase}.csv"


# Pages for people, and what is logged.

REPORTS = Path("reports")
QUALITY_PAGE = REPORTS / "data_quality.html"
QUALITY_SUMMARY = REPORTS / "data_quality.json"
TIER_PAGE = REPORTS / "tier.html"
LEADERBOARD = Path("docs/leaderboard.md")
LOGS = Path("logs")
"""What holds clocks, hosts and durations: neither Git nor DVC keeps it."""
COMPARISON_PAGE = LOGS / "compare.html"
SEARCHES = LOGS / "search"
"""Where a search keeps its memory, its clone, and what its trials print."""
TRAINING_LOGS = LOGS / "training"


def fold_logs(number: str) -> Path:
    """What the training of one fold logs."""
    return TRAINING_LOGS / f"fold_{number}"


# DVC's cache.


def dvc_cache() -> Path | None:
    """The folder of DVC's cache for the current folder; None outside of a DVC repository."""
    # DVC takes a second to load, and few ask.
    from dvc.config import Config

    config = Config.from_cwd()
    return None if config.dvc_dir is None else Path(config["cache"].get("dir", Path(config.dvc_dir) / "cache"))


def cached(cache: Path, md5: str) -> Path:
    """Where DVC's cache keeps a file with this MD5."""
    return cache / "files" / "md5" / md5[:2] / md5[2:]
