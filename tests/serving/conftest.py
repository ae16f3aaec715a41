"""Fixtures: a package of a small network on a market of random bars, and evenings of that market."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
import yaml

from gogooku3.assembly.build import build
from gogooku3.config import Params
from gogooku3.config.dataset import Dataset, Graph, Split
from gogooku3.config.model import Model
from gogooku3.config.numerics import Numerics
from gogooku3.config.train import LAST_PHASE
from gogooku3.dataset.schema import Schema
from gogooku3.metrics.split_file import content_of
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.network import Network
from gogooku3.model.weights import save
from gogooku3.package.golden import write_golden
from gogooku3.package.manifest import write_manifest
from gogooku3.package.predict import predict
from gogooku3.panel.panel import read_panel
from gogooku3.runtime.files import write_json
from gogooku3.runtime.numerics import prepare_torch, result_parameters
from gogooku3.serving.bars import BarFiles
from gogooku3.serving.release import Release
from gogooku3.training.phases import PHASES

from ..assembly.conftest import Frames, random_frames
from ..sources.conftest import file_quotes

NATIVE = Numerics("cpu", 1, "native", "float32", processes=1, shares=1, reduction="fixed")
SESSIONS, RELEASED = 410, 386
"""Sessions of the market, and those that the release knows."""


@dataclass(frozen=True)
class Market:
    """A market, and the release that was made from its first sessions."""

    frames: Frames
    release: Release

    @property
    def params(self) -> Params:
        assert self.release.params is not None
        return self.release.params

    @property
    def days(self) -> list[date]:
        return self.frames.bars["Date"].unique().sort().to_list()

    def until(self, sessions: int) -> Frames:
        """What is known at the close of the session with this number."""
        return self.frames.until(self.days[sessions - 1])


def evening_params(demo: Params, frames: Frames) -> Params:
    days = frames.bars["Date"].unique().sort().to_list()
    dataset = Dataset(
        features="core",
        clip=5.0,
        horizons=demo.dataset.horizons,
        graph=Graph(window=20, neighbours=3, refresh=7),
        split=Split(days[0], validation_from=days[300], test_from=days[350], embargo=20),
        joined=demo.dataset.joined,
    )
    columns = {"TurnoverValue": "TurnoverValue", "AdjustmentFactor": "AdjustmentFactor"}
    quotes = file_quotes(
        Path("bars.parquet"),
        listed="listed.parquet",
        index="index.parquet",
        bar_columns=columns,
        listed_columns={"Sector33": "Sector33", "MarketSegment": "MarketSegment"},
    )
    return replace(demo, dataset=dataset, numerics=NATIVE, quotes=quotes)


def write_package(folder: Path, dataset: Path, small: Model) -> None:
    """A package with what scoring reads; its network has random weights."""
    schema = Schema.read(dataset / "schema.json")
    names = len(schema.features)
    network = Network(PHASES[LAST_PHASE].architecture(schema.abi, names, list(schema.horizons), small), seed=1).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05)
    (folder / "golden").mkdir(parents=True)
    save(network, folder)
    for name in ("schema.json", "preprocess.json"):
        (folder / name).write_bytes((dataset / name).read_bytes())
    panel = read_panel(dataset)
    write_golden(network, PanelOnDevice(panel, small.backbone.window, prepare_torch(NATIVE)), folder)
    estimate = {"value": 0.03, "low": -1.0, "high": 1.0}
    test = {"to": str(panel.sessions[-1]), "rank_ic": {str(h): estimate for h in schema.horizons}}
    write_json({"test": content_of(test)}, folder / "metrics.json")
    write_json({"numerics": result_parameters(NATIVE)}, folder / "environment.json")
    (folder / "README.md").write_text("# A card\n")
    write_manifest(folder)


@pytest.fixture(scope="session")
def market(demo: Params, small: Model, tmp_path_factory: pytest.TempPathFactory) -> Market:
    return release(random_frames(SESSIONS, stocks=13), tmp_path_factory.mktemp("release"), demo, small)


def release(frames: Frames, folder: Path, demo: Params, small: Model) -> Market:
    """Makes a release from the first sessions of a market."""
    params = evening_params(demo, frames)
    made = Market(frames, Release("tier1@v1.0.0", "0" * 40, folder / "package", params))
    build(made.until(RELEASED).history(), params.dataset, folder / "dataset")
    write_package(folder / "package", folder / "dataset", small)
    tree: dict[str, Any] = json.loads(json.dumps(asdict(params), default=str))
    (folder / "params.yaml").write_text(yaml.safe_dump(tree))
    return made


@pytest.fixture
def given(tmp_path: Path) -> Callable[[Frames], BarFiles]:
    """Writes the files of an evening."""

    def write(frames: Frames) -> BarFiles:
        return BarFiles(frames.write(tmp_path / "evening"))

    return write


@pytest.fixture
def rebuilt(market: Market, tmp_path: Path) -> Callable[[Frames, date], pl.DataFrame]:
    """The scores of the last sessions of a dataset that is built from all bars, by `predict`."""

    def scores(frames: Frames, first: date) -> pl.DataFrame:
        build(frames.history(), market.params.dataset, tmp_path / "rebuilt")
        return predict(market.release.package, tmp_path / "rebuilt", NATIVE, first).frame

    return scores
