"""Paths of files and folders relative to the repository's root, and the path of DVC's cache.

`dvc.yaml` lists the same outputs. No stage depends on this file: a stage that writes elsewhere misses an output, and
DVC reports it. The module that writes a folder defines the file names inside it.
"""

from __future__ import annotations

from pathlib import Path

# The experiment: configuration, pipeline and locked versions.

CONF = Path("conf")
"""Config groups that compose `params.yaml`."""
PARAMS = Path("params.yaml")
PIPELINE = Path("dvc.yaml")
LOCK = Path("dvc.lock")
"""Hashes of everything that the pipeline reads and writes."""
SOURCE = Path("src")
REQUIREMENTS = Path("requirements.lock")
LIBRARIES = Path("locks")
"""Versions from `REQUIREMENTS`, in the files that stages depend on."""

# Data: quotes (OHLCV bars), dataset, predictions.

DATA = Path("data")
"""Inputs of training and scoring; a packaged model does not need them."""
RAW_JQUANTS = DATA / "raw/jquants"
"""Written by `gogooku3 jquants download`."""
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
    """Split dates of one walk-forward fold."""
    return FOLD_PLANS / f"{number}.json"


def fold_scores(number: str) -> Path:
    """Scores of one fold's model."""
    return FOLD_SCORES / f"{number}.parquet"


def fold_baselines(number: str) -> Path:
    """Scores of one fold's baselines."""
    return FOLD_BASELINES / f"{number}.parquet"


# Models.

MODELS = Path("models")
"""One folder per training phase."""
PARENT = MODELS / "parent"
"""The released base model that training starts from (`train.start_from`)."""
MEMBERS = MODELS / "members"
"""The further members of an ensemble, by seed."""
ENSEMBLE = MODELS / "ensemble"
"""The members of an ensemble as one model."""
PACKAGE = MODELS / "package"
"""The model package that a tier releases."""
PACKAGED_WEIGHTS = PACKAGE / "model.safetensors"


def model_of(phase: str) -> Path:
    """Weights, state and history after a training phase."""
    return MODELS / phase


def member(seed: int) -> Path:
    """A further member of an ensemble: one folder per training phase."""
    return MEMBERS / str(seed)


def fold_model(number: str) -> Path:
    """The model of one walk-forward fold."""
    return MODELS / "folds" / number


# Metrics, and the series that DVC plots (CSV).

METRICS = Path("metrics")
BASELINE_METRICS = METRICS / "baselines.json"
ATTRIBUTION = METRICS / "attribution.json"
PLOTS = Path("plots")


def metrics_of(split: str) -> Path:
    """Metrics of `validation`, of `test`, or of the joined test sessions of `walk_forward`."""
    return METRICS / f"{split}.json"


def details_of(split: str) -> Path:
    """The numbers and series of a split beside its metrics (`gogooku3.evaluation.details`)."""
    return METRICS / "details" / f"{split}.json"


def sessions_of(split: str) -> Path:
    """The values per session that the metrics of a split average."""
    return METRICS / "sessions" / f"{split}.csv"


def plot_of(name: str) -> Path:
    """The data of a chart."""
    return PLOTS / f"{name}.csv"


def learning_curve(phase: str) -> Path:
    """Losses and validation metrics of a phase per epoch."""
    return PLOTS / "training" / f"{phase}.csv"


# HTML reports and logs.

REPORTS = Path("reports")
QUALITY_PAGE = REPORTS / "data_quality.html"
QUALITY_SUMMARY = REPORTS / "data_quality.json"
TIER_PAGE = REPORTS / "tier.html"
LEADERBOARD = Path("docs/leaderboard.md")
REGISTER = Path("docs/register.md")
"""Every experiment with its result and its conclusion."""
CONCLUSIONS = Path("docs/conclusions.yaml")
"""What was learned from experiments, by commit."""
LOGS = Path("logs")
"""Files with timestamps, hosts and durations: in neither Git nor DVC."""
COMPARISON_PAGE = LOGS / "compare.html"
SEARCHES = LOGS / "search"
"""The study database, the clone and the trial logs of a hyperparameter search."""
TRAINING_LOGS = LOGS / "training"
RUNS = LOGS / "runs"
"""Duration and machine of each stage's runs."""
PROVENANCE = LOGS / "provenance"
"""The provenance of recovered releases: durations, machines, libraries and logs of the runs that made them."""


def member_logs(seed: str) -> Path:
    """Training logs of a further member of an ensemble."""
    return TRAINING_LOGS / f"member_{seed}"


def fold_logs(number: str) -> Path:
    """Training logs of one fold."""
    return TRAINING_LOGS / f"fold_{number}"


# DVC's cache.


def dvc_cache() -> Path | None:
    """The path of DVC's cache for the current folder; None outside a DVC repository."""
    # Importing DVC takes a second, and few callers need it.
    from dvc.config import Config

    config = Config.from_cwd()
    return None if config.dvc_dir is None else Path(config["cache"].get("dir", Path(config.dvc_dir) / "cache"))


def cached(cache: Path, md5: str) -> Path:
    """The path of the file with this MD5 in DVC's cache."""
    return cache / "files" / "md5" / md5[:2] / md5[2:]
