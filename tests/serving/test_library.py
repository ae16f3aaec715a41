"""The library scores frames as the pipeline scores datasets, and leaves torch as it was."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

import gogooku3
from gogooku3.assembly.build import build
from gogooku3.errors import DataError, MachineError, MismatchError
from gogooku3.model.weights import read_tensors, write_tensors
from gogooku3.package.golden import PREDICTIONS
from gogooku3.package.manifest import write_manifest
from gogooku3.package.predict import predict
from gogooku3.serving.torch_settings import as_packaged

from .conftest import NATIVE, RELEASED, Market


@pytest.fixture
def model(market: Market) -> gogooku3.Model:
    return gogooku3.load(market.release.package, params=market.release.package.parent / "params.yaml")


@pytest.fixture
def package(market: Market, tmp_path: Path) -> Path:
    """A copy of the package that may be changed."""
    return Path(shutil.copytree(market.release.package, tmp_path / "package"))


def test_frames_of_polars_and_pandas_are_scored_as_a_dataset_of_their_bars(
    model: gogooku3.Model, market: Market, tmp_path: Path
) -> None:
    known, last = market.until(RELEASED), market.days[RELEASED - 1]
    scores = model.score(known.bars, listed=known.listed, index=known.index, state=tmp_path / "state")
    build(known.history(), market.params.dataset, tmp_path / "dataset")
    assert scores.equals(predict(market.release.package, tmp_path / "dataset", NATIVE, last).frame)
    assert scores.equals(model.score_dataset(tmp_path / "dataset", first=last))
    frames = (known.bars.to_pandas(), known.listed.to_pandas(), known.index.to_pandas())
    assert scores.equals(
        model.score(frames[0], listed=frames[1], index=frames[2], first=str(last), state=tmp_path / "state")
    )
    with pytest.raises(DataError, match="has no session from 2030-01-01"):
        model.score_dataset(tmp_path / "dataset", first="2030-01-01")
    with pytest.raises(DataError, match="a list is no data frame"):
        model.score([])


def test_a_model_tells_its_card_and_metrics(model: gogooku3.Model) -> None:
    assert model.card == "# A card\n"
    assert model.metrics["test"]["rank_ic"]["1"]["value"] == 0.03
    assert model.horizons == (1, 5, 10, 20)


def test_every_check_runs_on_the_package(model: gogooku3.Model) -> None:
    outcomes = {check.name: check.finding.outcome for check in model.verify().checks}
    assert outcomes["manifest"] == outcomes["weights"] == outcomes["features"] == "passed"
    assert outcomes["contents"] == "failed"  # this small package has no lineage


def test_an_altered_package_is_refused(package: Path) -> None:
    (package / "README.md").write_text("another card")
    with pytest.raises(MismatchError, match=r"README\.md was altered"):
        gogooku3.load(package)


def test_a_package_without_parameters_says_how_to_name_them(package: Path, market: Market) -> None:
    known = market.until(RELEASED)
    with pytest.raises(DataError, match="parameters are not known") as error:
        gogooku3.load(package).score(known.bars, listed=known.listed, index=known.index)
    assert "params=FILE" in error.value.hint
    with pytest.raises(DataError, match="is not a package folder"):
        gogooku3.load("tier1@v1.0.0")


def test_a_process_with_other_bits_warns(package: Path, market: Market, tmp_path: Path) -> None:
    golden = read_tensors(package / PREDICTIONS)
    write_tensors({"scores": golden["scores"] + 1e-6}, package / PREDICTIONS)
    write_manifest(package)
    build(market.until(RELEASED).history(), market.params.dataset, tmp_path / "dataset")
    with pytest.warns(gogooku3.UnpinnedWarning, match="equal to those of `gogooku3 score` only within 0.0001"):
        gogooku3.load(package).score_dataset(tmp_path / "dataset", first=market.days[RELEASED - 1])


def test_torch_has_its_settings_back_even_after_an_error() -> None:
    def settings() -> tuple[object, ...]:
        return (
            torch.get_num_threads(),
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
            torch.backends.mkldnn.enabled,
            torch.backends.cuda.matmul.allow_tf32,
            torch.backends.cudnn.benchmark,
        )

    packaged = settings()
    torch.set_num_threads(3)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.mkldnn.enabled = True
    torch.backends.cudnn.benchmark = True
    before = settings()
    with pytest.raises(KeyError), as_packaged(NATIVE):
        inside = settings()
        raise KeyError
    assert settings() == before != inside
    assert inside[0] == NATIVE.threads
    torch.backends.cudnn.benchmark = bool(packaged[-1])


def test_numerics_cannot_be_pinned_after_the_libraries_are_loaded(market: Market) -> None:
    with pytest.raises(MachineError, match="numpy and torch are imported already"):
        gogooku3.pin(market.release.package)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute `score`"):
        gogooku3.score  # noqa: B018
