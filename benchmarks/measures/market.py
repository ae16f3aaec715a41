"""Synthetic markets of any size, each in its own folder, and their datasets, built by the pipeline's stage."""

from __future__ import annotations

import json
import shutil
import statistics
from dataclasses import dataclass, replace
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from gogooku3.assembly.history import History
from measures.processes import Cost, measured

_ROOT = Path(__file__).resolve().parents[2]
_STAGE = ["-m", "gogooku3.stages"]


@dataclass(frozen=True)
class Built:
    """A built dataset: size and cost."""

    cost: Cost
    rows: int
    """Rows of all feature files: one per bar."""
    features: int
    size: int
    """Bytes of all files."""

    @classmethod
    def median(cls, builds: list[Built]) -> Built:
        """Repeated builds of the same dataset: median seconds, largest peak memory."""
        costs = [built.cost for built in builds]
        wall, cpu = (statistics.median(getattr(cost, clock) for cost in costs) for clock in ("wall", "cpu"))
        return replace(builds[0], cost=Cost(wall, cpu, max(cost.peak for cost in costs)))


def composed(overrides: list[str]) -> str:
    """`params.yaml` as DVC composes it from `conf/`; uses only Hydra, so that DVC need not be installed."""
    with initialize_config_dir(str(_ROOT / "conf"), version_base=None):
        settings = compose("config", overrides)
    OmegaConf.resolve(settings)
    return OmegaConf.to_yaml(settings)


class Market:
    """A folder with `params.yaml` of tier 1 and the quotes of a synthetic market."""

    def __init__(self, folder: Path, overrides: list[str]) -> None:
        self.folder, self.quotes, self.dataset = folder, folder / "data/quotes", folder / "data/dataset"
        folder.mkdir()
        (folder / "params.yaml").write_text(composed(["tier=tier1", *overrides]), encoding="utf-8")
        measured([*_STAGE, "quotes"], folder)

    @property
    def sessions(self) -> int:
        return len(History.read(self.quotes).sessions)

    def build(self) -> Built:
        """Builds the dataset from scratch, as `dvc repro` does."""
        self.clear()
        cost = measured([*_STAGE, "dataset"], self.folder)
        contents = json.loads((self.dataset / "contents.json").read_text(encoding="utf-8"))
        return Built(
            cost,
            rows=sum(file["rows"] for name, file in contents.items() if name.startswith("features/")),
            features=len(json.loads((self.dataset / "schema.json").read_text(encoding="utf-8"))["features"]),
            size=sum(path.stat().st_size for path in self.dataset.rglob("*") if path.is_file()),
        )

    def profile(self) -> Path:
        """Builds the dataset in one process on one core; returns the cProfile file."""
        self.clear()
        profile = self.folder / "dataset.profile"
        measured(["-m", "cProfile", "-o", str(profile), *_STAGE, "dataset"], self.folder, cores=1)
        return profile

    def clear(self) -> None:
        """Removes the dataset and the month cache."""
        for folder in (self.dataset, self.dataset.with_name(".dataset.partial")):
            shutil.rmtree(folder, ignore_errors=True)
