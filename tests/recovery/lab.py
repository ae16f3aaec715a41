"""Fixtures: a test repository with real Git, DVC and package; its stages only copy files, its bucket is a folder."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

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
from gogooku3.runtime.numerics import prepare_torch
from gogooku3.training.phases import PHASES

from . import market

ROOT = Path(__file__).parents[2]
NATIVE = Numerics("cpu", 1, "native", "float32", processes=1, shares=1, reduction="fixed")

STAGES = {
    "quotes": ["data/quotes"],
    "dataset": ["data/dataset"],
    LAST_PHASE: [f"models/{LAST_PHASE}/config.json", f"models/{LAST_PHASE}/model.safetensors"],
    "package": [f"models/package/{name}" for name in sorted(FILES)],
    "metrics": [
        *("metrics/baselines.json", "metrics/test.json", "metrics/validation.json"),
        *("metrics/details/test.json", "metrics/details/validation.json"),
        *("metrics/sessions/test.csv", "metrics/sessions/validation.csv"),
    ],
    "plots": [f"plots/{name}.csv" for name in ("baselines", "cumulative_return", "quantiles", "rank_ic")],
    "scores": ["data/baselines.parquet", "data/predictions.parquet"],
}
PLACES = {"quotes": "data", "dataset": "data", LAST_PHASE: "models", "package": "models", "metrics": ".", "plots": "."}
COMMANDS = {"scores": "mkdir -p data && cp made/scores/* data/"}
IN_GIT = ("metrics", "plots")
ARTIFACTS = {name: {"path": "models/package", "type": "model"} for name in ("demo", "tier1", "tier2")}


class Train(Protocol):
    """Writes the outputs of a training under a folder."""

    def __call__(self, made: Path, seed: int, rank_ic: float, test: float | None = None) -> None:
        """Trains with a seed; the RankIC of horizon 1 is `rank_ic` on validation, of horizon 5 0.01 more.

        On test it is `test`, by default 0.02 times the seed less than on validation. Models with the same RankIC have
        the same scores on validation.
        """


@dataclass(frozen=True)
class Lab:
    """A repository whose training only copies a model, and commands run in it."""

    folder: Path
    make: Train

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


@pytest.fixture(scope="session")
def training(panel: Panel, small: Model, demo: Params, tmp_path_factory: pytest.TempPathFactory) -> Train:
    columns = tuple(Column(f"feature_{i}", "returns", 1, "stock", "", "float32") for i in range(len(panel.features)))
    schema = Schema(columns, panel.horizons, panel.neighbours_GSK.shape[-1])
    architecture = PHASES[LAST_PHASE].architecture(schema.abi, len(columns), list(panel.horizons), small)
    params = market.quick(dataclasses.replace(demo, numerics=NATIVE))

    def make(made: Path, seed: int, rank_ic: float, test: float | None = None) -> None:
        market.write_quotes(made / "quotes")
        (made / "quotes/bars.txt").write_text("bars\n")
        market.write_dataset(made / "dataset", schema)
        device = prepare_torch(NATIVE)
        network = Network(architecture, seed=seed).eval()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.1)
        save(network, made / LAST_PHASE)
        market.write_results(
            made, params, {"validation": rank_ic, "test": rank_ic - 0.02 * seed if test is None else test}
        )
        inputs = PanelOnDevice(dataclasses.replace(panel, abi=schema.abi), small.backbone.window, device)
        (made / "package/golden").mkdir(parents=True)
        kept = dict.fromkeys(dataclasses.asdict(params.train.phases), "epoch 1")
        folders = (made / LAST_PHASE, made / "dataset", made / "metrics")
        build(network, inputs, *folders, kept, params, None, made / "package")

    kept_trainings: dict[tuple[int, float, float | None], Path] = {}

    def train(made: Path, seed: int, rank_ic: float, test: float | None = None) -> None:
        wanted = (seed, rank_ic, test)
        if wanted not in kept_trainings:
            kept_trainings[wanted] = tmp_path_factory.mktemp("training") / "made"
            make(kept_trainings[wanted], *wanted)
        shutil.rmtree(made, ignore_errors=True)
        shutil.copytree(kept_trainings[wanted], made)

    return train


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
    (lab.folder / ".gitignore").write_text("/logs/\n")
    (lab.folder / ".gitattributes").write_text("*.parquet binary\n")
    for name in ("params.yaml", "requirements.lock"):
        shutil.copyfile(ROOT / name, lab.folder / name)
    params = lab.folder / "params.yaml"
    params.write_text(params.read_text().replace("name: demo", "name: tier1").replace("draws: 1000", "draws: 100"))
    stages = {
        name: {
            "cmd": COMMANDS.get(name, f"mkdir -p {PLACES.get(name)} && cp -r made/{name} {PLACES.get(name)}/"),
            "deps": [f"made/{name}"],
            "outs": [{path: {"cache": False}} for path in paths] if name in IN_GIT else paths,
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
