"""Fixtures: a package as the pipeline builds it, recorded by the real DVC, for tests that tamper with it."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
import yaml
from torch import Tensor

from gogooku3.config import Params
from gogooku3.config.model import Model
from gogooku3.config.numerics import Numerics
from gogooku3.config.train import LAST_PHASE
from gogooku3.dataset.schema import Column, Schema
from gogooku3.metrics.split_file import content_of
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.network import Network
from gogooku3.model.weights import read_tensors, save, write_tensors
from gogooku3.package.build import build
from gogooku3.package.manifest import write_manifest
from gogooku3.panel.panel import Panel
from gogooku3.recovery.checks.contents import FILES
from gogooku3.recovery.checks.verdict import Finding, Verdict
from gogooku3.recovery.verify import default_inputs, verify
from gogooku3.runtime.files import write_json, write_parquet
from gogooku3.runtime.numerics import prepare_torch
from gogooku3.training.phases import PHASES

from ...conftest import baselines_like, metrics_like

# `native`: a test process did not pin the portable instruction set before torch was loaded.
NATIVE = Numerics("cpu", 1, "native", "float32", processes=1, shares=1, reduction="fixed")
SCHEMA = Schema(
    tuple(
        Column(f"feature_{i}", family, 1, "session" if family == "calendar" else "stock", "", "float32")
        for i, family in enumerate(("returns", "returns", "momentum", "momentum", "momentum", "calendar"))
    ),
    horizons=(1, 5),
    neighbours=3,
)


@dataclasses.dataclass(frozen=True)
class Delivery:
    """A folder with `models/package`, `data/dataset` and `dvc.lock`, and methods that tamper with them."""

    root: Path
    schema: Schema = SCHEMA

    @property
    def package(self) -> Path:
        return self.root / "models/package"

    @property
    def lock(self) -> Path:
        return self.root / "dvc.lock"

    def write_dataset(self, schema: Schema, header: dict[str, pl.DataType] | None = None, clip: float = 5.0) -> None:
        """Writes the parts of a dataset that `verify` reads: schema, preprocessing, a month without rows."""
        folder = self.root / "data/dataset"
        fitted = {column.name: {"mean": 0.0, "std": 1.0} for column in schema.features if column.scope == "session"}
        write_json(schema.as_json(), folder / "schema.json")
        write_json({"abi": schema.abi, "clip": clip, "session": fitted}, folder / "preprocess.json")
        month = pl.DataFrame(schema=header or schema.feature_columns)
        write_parquet(month, folder / "features/2024-01.parquet")

    def edit_json(self, name: str, edit: Callable[[Any], object]) -> None:
        path = self.package / name
        content = json.loads(path.read_text())
        edit(content)
        path.write_text(json.dumps(content))

    def edit_tensors(self, name: str, edit: Callable[[dict[str, Tensor]], object]) -> None:
        tensors = read_tensors(self.package / name)
        edit(tensors)
        write_tensors(tensors, self.package / name)

    def forge_lock(self, output: str) -> None:
        """Records a wrong hash for an output."""
        content = yaml.safe_load(self.lock.read_text())
        outs = [out for stage in content["stages"].values() for out in stage["outs"] if out["path"] == output]
        outs[0]["md5"] = "0" * 32
        self.lock.write_text(yaml.safe_dump(content))

    def rewrite_manifest(self) -> None:
        """Writes a manifest that matches the files."""
        write_manifest(self.package)

    def verify(self) -> Report:
        """Verifies the package with dataset and lock file."""
        dataset, lock = default_inputs(self.package)
        return Report(verify(self.package, dataset=dataset, lock=lock))

    def verify_alone(self) -> Report:
        """Verifies the package alone."""
        return Report(verify(self.package, dataset=None, lock=None))


@dataclasses.dataclass(frozen=True)
class Report:
    verdict: Verdict

    @property
    def failed(self) -> set[str]:
        return {check.name for check in self.verdict.failed}

    @property
    def outcomes(self) -> dict[str, str]:
        return {check.name: check.finding.outcome for check in self.verdict.checks}

    def __getitem__(self, name: str) -> Finding:
        return next(check.finding for check in self.verdict.checks if check.name == name)


@pytest.fixture(scope="session")
def delivered(tmp_path_factory: pytest.TempPathFactory, panel: Panel, small: Model, demo: Params) -> Path:
    """Model and package as built, with a lock file from a real `dvc repro`."""
    root = tmp_path_factory.mktemp("delivered")
    Delivery(root).write_dataset(SCHEMA)
    write_json({}, root / "data/dataset/contents.json")
    trained, package = root / f"made/{LAST_PHASE}", root / "made/package"
    architecture = PHASES[LAST_PHASE].architecture(SCHEMA.abi, len(SCHEMA.features), list(SCHEMA.horizons), small)
    device = prepare_torch(NATIVE)
    network = Network(architecture, seed=1).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1)  # opens the gates that start at zero
    save(network, trained)
    estimate = {"value": 0.1, "low": 0.0, "high": 0.2}
    for split in ("validation", "test"):
        metrics = metrics_like({str(h): estimate for h in SCHEMA.horizons}, estimate)
        write_json(content_of(metrics), root / f"metrics/{split}.json")
        write_json({}, root / f"metrics/details/{split}.json")
    write_json(baselines_like(), root / "metrics/baselines.json")
    inputs = PanelOnDevice(dataclasses.replace(panel, abi=SCHEMA.abi), small.backbone.window, device)
    params = dataclasses.replace(demo, numerics=NATIVE)
    (package / "golden").mkdir(parents=True)
    kept = dict.fromkeys(dataclasses.asdict(params.train.phases), "epoch 1")
    build(network, inputs, trained, root / "data/dataset", root / "metrics", kept, params, None, package)
    outs = {LAST_PHASE: ["config.json", "model.safetensors"], "package": sorted(FILES)}
    stages = {
        stage: {
            "cmd": f"mkdir -p models && cp -r made/{stage} models/",
            "outs": [f"models/{stage}/{name}" for name in names],
        }
        for stage, names in outs.items()
    }
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    for command in (["init", "--no-scm", "--quiet"], ["repro", "--quiet"]):
        subprocess.run([sys.executable, "-m", "dvc", *command], cwd=root, check=True, capture_output=True)
    return root


@pytest.fixture
def delivery(delivered: Path, tmp_path: Path) -> Delivery:
    """A copy of `delivered`, to be edited."""
    for name in ("models", "data"):
        shutil.copytree(delivered / name, tmp_path / name)
    shutil.copyfile(delivered / "dvc.lock", tmp_path / "dvc.lock")
    return Delivery(tmp_path)
