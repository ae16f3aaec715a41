"""Fixtures: a test repository with real Git, DVC and package; its stages only copy files, its bucket is a folder."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
import yaml

from gogooku3.config import Params
from gogooku3.config.model import Model
from gogooku3.config.numerics import Numerics
from gogooku3.config.train import LAST_PHASE
from gogooku3.dataset.schema import Column, Schema
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.network import Network
from gogooku3.model.weights import save
from gogooku3.package.build import build
from gogooku3.panel.panel import Panel
from gogooku3.recovery.checks.contents import FILES
from gogooku3.recovery.releases.tags import read
from gogooku3.runtime.files import write_csv, write_json, write_parquet
from gogooku3.runtime.numerics import prepare_torch
from gogooku3.training.phases import PHASES

from ..conftest import baselines_like, metrics_like

ROOT = Path(__file__).parents[2]
NATIVE = Numerics("cpu", 1, "native", "float32", processes=1, shares=1, reduction="fixed")

STAGES = {
    "quotes": ["data/quotes"],
    "dataset": ["data/dataset"],
    LAST_PHASE: [f"models/{LAST_PHASE}/config.json", f"models/{LAST_PHASE}/model.safetensors"],
    "package": [f"models/package/{name}" for name in sorted(FILES)],
    "metrics": [
        *("metrics/baselines.json", "metrics/test.json", "metrics/validation.json"),
        *("metrics/sessions/test.csv", "metrics/sessions/validation.csv"),
    ],
}
PLACES = {"quotes": "data", "dataset": "data", LAST_PHASE: "models", "package": "models", "metrics": "."}
ARTIFACTS = {name: {"path": "models/package", "type": "model"} for name in ("demo", "tier1", "tier2")}

Train = Callable[[Path, int, float], None]


@dataclass(frozen=True)
class Lab:
    """A repository whose training only copies a model, and commands run in it."""

    folder: Path
    make: Train
    """Writes the outputs of a training under `made/`, for a seed and a validation RankIC."""

    def run(self, *command: str, check: bool = True, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "src"),
        }
        done = subprocess.run(
            command, cwd=cwd or self.folder, env=environment, capture_output=True, text=True, check=False
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
        return done

    def train(self, seed: int, rank_ic: float) -> str:
        """Makes another model with its metrics, reproduces and commits it; returns the commit."""
        self.make(self.folder / "made", seed, rank_ic)
        return self.reproduce()

    def reproduce(self) -> str:
        self.run("dvc", "repro", "--quiet")
        return self.commit("A model")

    def commit(self, message: str) -> str:
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)
        return self.run("git", "rev-parse", "HEAD").stdout.strip()

    def tags(self) -> set[str]:
        return set(read(self.folder).names)

    @property
    def bucket(self) -> Path:
        return self.folder.parent / "bucket"

    def copy(self, target: Path) -> Lab:
        for name in ("lab", "bucket"):
            shutil.copytree(self.folder.parent / name, target / name, symlinks=True)
        return Lab(target / "lab", self.make)


def track_like(seed: int, rank_ic: float, horizons: tuple[int, ...]) -> pl.DataFrame:
    """Sessions with a model's RankIC, plus noise that all models share."""
    random = np.random.default_rng(5)
    series_TH = rank_ic + 0.1 * random.standard_normal((60, len(horizons)))
    series_TH += 0.005 * np.random.default_rng(seed).standard_normal(series_TH.shape)
    dates = np.datetime64("2024-01-01") + np.arange(60)
    net_T = 0.01 * random.standard_normal(60)
    return pl.DataFrame(
        {"Date": dates, "net": net_T} | {f"rank_ic_{h}": x_T for h, x_T in zip(horizons, series_TH.T, strict=True)}
    )


@pytest.fixture(scope="session")
def training(panel: Panel, small: Model, demo: Params) -> Train:
    columns = tuple(Column(f"feature_{i}", "returns", 1, "stock", "", "float32") for i in range(len(panel.features)))
    schema = Schema(columns, panel.horizons, panel.neighbours_GSK.shape[-1])
    architecture = PHASES[LAST_PHASE].architecture(schema.abi, len(columns), list(panel.horizons), small)

    def make(made: Path, seed: int, rank_ic: float) -> None:
        shutil.rmtree(made, ignore_errors=True)
        (made / "quotes").mkdir(parents=True)
        (made / "quotes/bars.txt").write_text("bars\n")
        write_json(schema.as_json(), made / "dataset/schema.json")
        write_json({"abi": schema.abi, "clip": 5.0, "session": {}}, made / "dataset/preprocess.json")
        write_json({}, made / "dataset/contents.json")
        write_parquet(pl.DataFrame(schema=schema.feature_columns), made / "dataset/features/2024-01.parquet")
        device = prepare_torch(NATIVE)
        network = Network(architecture, seed=seed).eval()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.1)
        save(network, made / LAST_PHASE)
        for split, shift in (("validation", 0.0), ("test", -0.02 * seed)):
            estimates = {
                str(h): {"value": rank_ic + shift + i / 100, "low": shift - 0.1, "high": shift + 0.1}
                for i, h in enumerate(panel.horizons)
            }
            metrics = metrics_like(estimates, {"value": 1.0 + shift, "low": 0.5, "high": 1.5})
            write_json(metrics, made / f"metrics/{split}.json")
            write_csv(track_like(seed, rank_ic, panel.horizons), made / f"metrics/sessions/{split}.csv")
        write_json(baselines_like(), made / "metrics/baselines.json")
        inputs = PanelOnDevice(dataclasses.replace(panel, abi=schema.abi), small.backbone.window, device)
        params = dataclasses.replace(demo, numerics=NATIVE)
        (made / "package/golden").mkdir(parents=True)
        build(network, inputs, made / LAST_PHASE, made / "dataset", made / "metrics", params, None, made / "package")

    return make


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, training: Train) -> Lab:
    """A test repository of tier1 with one committed model; nothing is pushed or promoted. Tests use copies."""
    lab = Lab(tmp_path_factory.mktemp("trained") / "lab", training)
    lab.folder.mkdir()
    lab.bucket.mkdir()
    lab.run("git", "init", "--quiet", "--initial-branch=main")
    lab.run("git", "config", "user.name", "Test")
    lab.run("git", "config", "user.email", "test@example.com")
    lab.run("dvc", "init", "--quiet")
    (lab.folder / ".dvc/config").write_text(
        "[core]\n    remote = store\n    analytics = false\n    check_update = false\n    autostage = false\n"
        f"    site_cache_dir = {lab.folder.parent / 'site'}\n"
        "['remote \"store\"']\n    url = ../../bucket\n    verify = true\n"
    )
    (lab.folder / ".dvc/.gitignore").write_text("/config.local\n/tmp\n/cache\n")
    for name in ("params.yaml", "requirements.lock"):
        shutil.copyfile(ROOT / name, lab.folder / name)
    params = lab.folder / "params.yaml"
    params.write_text(params.read_text().replace("tier: demo", "tier: tier1"))
    stages = {
        name: {
            "cmd": f"mkdir -p {PLACES[name]} && cp -r made/{name} {PLACES[name]}/",
            "deps": [f"made/{name}"],
            "outs": [{path: {"cache": False}} for path in paths] if name == "metrics" else paths,
        }
        for name, paths in STAGES.items()
    }
    (lab.folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages, "artifacts": ARTIFACTS}))
    for room in ("training", "model"):
        (lab.folder / "src/gogooku3" / room).mkdir(parents=True)
        (lab.folder / "src/gogooku3" / room / "code.py").write_text("one\ntwo\nthree\n")
    lab.train(1, 0.05)
    return lab


@pytest.fixture
def lab(trained: Lab, tmp_path: Path) -> Lab:
    """A copy of the test repository, to be changed."""
    return trained.copy(tmp_path)
