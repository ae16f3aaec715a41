"""Everything that depends on the device gives the same bytes on a second device as on the CPU.

`test_second_device.py` runs these tests in a process of their own. By hand: `pytest tests/device/cases.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import astuple, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gogooku3.attribution.attribute import attribute
from gogooku3.config import Params
from gogooku3.config.evaluation import Bootstrap
from gogooku3.config.model import Model
from gogooku3.config.train import Loss, Phases, Schedule
from gogooku3.dataset.schema import Column, Schema
from gogooku3.model import feature_networks, inputs, probe
from gogooku3.model.activations import elu, glu
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.network import Network
from gogooku3.model.prefetch import BlockSpec, Prefetcher
from gogooku3.model.scoring import join, score, score_members
from gogooku3.model.weights import load, save
from gogooku3.package import golden, predict
from gogooku3.package.golden import max_golden_difference, write_golden
from gogooku3.package.manifest import write_manifest
from gogooku3.panel.panel import Panel
from gogooku3.training import checkpoints
from gogooku3.training.chain import train_all
from gogooku3.training.checkpoints import Checkpoints, State
from gogooku3.training.distributed import SINGLE_PROCESS, Group
from gogooku3.training.fingerprint import hash_weights
from gogooku3.training.phases import PHASES
from gogooku3.training.validation import validate
from gogooku3.walk_forward.fold import make

from ..recipes import pace, recipe
from ..walk_forward.dataset import planned, write_dataset
from .second import MixedDevicesError, OnSecond, second_device

CPU = torch.device("cpu")
WINDOW = 8
FAMILIES = ("signal", "noise", "noise", "other", "other", "calendar")
RECIPE = recipe(
    batch_size=120,
    accumulate=2,
    average=0.9,
    schedule=Schedule(warmup=0.2, decay="cosine", last=0.1),
    gate_rate=10.0,
    loss=Loss(sharpe=1.0, rank_ic=0.5, ic=0.5, horizons=[1.0, 0.5]),
)
"""Two batches per optimizer step, averaged weights, all terms of the loss."""


@pytest.fixture(scope="session")
def second() -> torch.device:
    """The second device, which computes in tiles of a CPU's size."""
    device = second_device()
    feature_networks._TILE_ELEMENTS[device.type] = feature_networks._TILE_ELEMENTS["cpu"]
    return device


@pytest.fixture
def devices(second: torch.device) -> tuple[torch.device, torch.device]:
    return CPU, second


@pytest.fixture(scope="session")
def schema() -> Schema:
    scopes = {"calendar": "session"}
    columns = (
        Column(f"feature_{number}", family, 1, scopes.get(family, "stock"), "", "float32")
        for number, family in enumerate(FAMILIES)
    )
    return Schema(tuple(columns), (1, 5), 3)


@pytest.fixture
def params(demo: Params, small: Model) -> Params:
    phases = Phases(**dict.fromkeys(PHASES, pace(1, 1e-2)))
    train = replace(demo.train, recipe=RECIPE, phases=phases)
    return replace(demo, model=small, train=train, dataset=replace(demo.dataset, horizons=[1, 5]))


Train = Callable[..., dict[str, bytes]]


@pytest.fixture
def trained(panel: Panel, schema: Schema, params: Params, tmp_path: Path) -> Train:
    """Trains all phases in a folder; returns the content of the files that the phases write."""

    def train(device: torch.device, folder: str, group: Group = SINGLE_PROCESS) -> dict[str, bytes]:
        models = tmp_path / folder / "models"
        on_device = PanelOnDevice(panel, WINDOW, device)
        train_all(params, 1, schema, models, None, [], on_device, tmp_path / folder / "logs", group)
        return {name: content for phase in PHASES for name, content in files(models / phase, phase).items()}

    return train


def files(folder: Path, prefix: str = "") -> dict[str, bytes]:
    """The content of the files under a folder, by path."""
    return {
        str(prefix / path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def differing(one: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    """Names of the files that only one has, or whose content differs."""
    return [name for name in sorted(one.keys() | other.keys()) if one.get(name) != other.get(name)]


def raw(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().numpy().tobytes()


def test_tensors_of_both_devices_in_one_operation_are_an_error(second: torch.device) -> None:
    """Otherwise a tensor on the wrong device would pass these tests."""
    ours, other = torch.ones(2, 3, device=second), torch.ones(2, 3)
    assert ours.device == second != other.device
    mixtures: list[Callable[[], Any]] = [
        lambda: ours + other,
        lambda: other + ours,
        lambda: other.add_(ours),
        lambda: torch.where(ours > 0, other, ours),
        lambda: ours[torch.tensor([0])],
        lambda: torch.nn.functional.linear(ours, other),
        lambda: torch.cat([ours, other]),
    ]
    for mixture in mixtures:
        with pytest.raises(MixedDevicesError, match="got tensors on second and on cpu"):
            mixture()
    with pytest.raises(RuntimeError, match=r"numpy\(\) is not supported"):
        ours.numpy()
    assert raw(ours * torch.tensor(2.0)) == raw(other * 2.0)


@pytest.mark.parametrize("function", [elu, glu])
def test_the_activations_for_gpus_are_those_of_the_cpu_up_to_rounding(
    function: Callable[[Tensor], Tensor], devices: tuple[torch.device, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch's own, which a GPU computes. Its LSTM has no kernels outside of CUDA that could be compared."""
    monkeypatch.setattr(OnSecond, "is_cuda", property(lambda _: True), raising=False)
    values_M8 = torch.randn(40, 8, generator=torch.Generator().manual_seed(0))
    found = []
    for device in devices:
        x = values_M8.to(device).requires_grad_()
        value = function(x)
        found.append([value.detach().cpu(), torch.autograd.grad(value.square().sum(), x)[0].cpu()])
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("fits", [True, False])
def test_blocks_cut_on_the_device_or_copied_to_it_and_prefetched_are_those_of_the_cpu(
    fits: bool, panel: Panel, devices: tuple[torch.device, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With and without neighbours, at both edges of the panel and before the first graph."""
    if not fits:
        monkeypatch.setattr(inputs, "_on_device_if_it_fits", lambda values, device: torch.from_numpy(values))
    specs = [
        BlockSpec(first, 4, np.array([7, 0, 3]), with_neighbours=neighbours)
        for first in (0, 3, 30, 58)
        for neighbours in (False, True)
    ]
    found: list[list[bytes]] = []
    for device in devices:
        on_device = PanelOnDevice(panel, WINDOW, device)
        with Prefetcher(on_device, specs) as prefetched:
            tensors = [tensor for block in prefetched for tensor in vars(block).values()]
        assert {tensor.device for tensor in tensors} == {device}
        found.append([raw(tensor) for tensor in tensors])
    assert found[0] == found[1]


def test_all_phases_train_to_the_same_files(trained: Train, second: torch.device) -> None:
    """Weights, moments, and the history with its losses, gradient norms, validations and fingerprints."""
    expected = trained(CPU, "cpu")
    assert {Path(name).name for name in expected} > {"model.safetensors", "state.safetensors", "history.json"}
    assert differing(trained(second, "second"), expected) == []


@pytest.mark.slow
def test_all_phases_in_shards_train_to_the_same_files(trained: Train, second: torch.device) -> None:
    group = Group(shares=3)
    assert differing(trained(second, "second", group), trained(CPU, "cpu", group)) == []


def cutting(after: int) -> Callable[..., None]:
    """Saves checkpoints, and ends training after number `after`, as a kill would: no code runs after it."""
    save, numbers = Checkpoints.save, count()

    def saved(own: Checkpoints, state: State) -> None:
        save(own, state)
        if next(numbers) == after:
            raise SystemExit

    return saved


@pytest.mark.slow
@pytest.mark.parametrize(("begun", "resumed"), [("second", "second"), ("cpu", "second"), ("second", "cpu")])
def test_training_cut_off_on_one_device_resumes_on_it_or_another_with_the_same_files(
    begun: str, resumed: str, trained: Train, second: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off in a step of the first phase, at its end, and in a step of the last phase."""
    by_name = {"second": second, "cpu": CPU}
    monkeypatch.setattr(checkpoints, "_LONGEST_S", 0.0)  # a checkpoint after every step
    expected = trained(CPU, "uninterrupted")
    for after in (0, 2, 9):
        with monkeypatch.context() as patch:
            patch.setattr(Checkpoints, "save", cutting(after))
            with pytest.raises(SystemExit):
                trained(by_name[begun], f"cut{after}")
        assert differing(trained(by_name[resumed], f"cut{after}"), expected) == []


def test_scores_validation_and_fingerprints_of_a_network_are_the_same(
    panel: Panel, network: Callable[..., Network], params: Params, devices: tuple[torch.device, ...]
) -> None:
    found = []
    for device in devices:
        made = network("finetune", opened=True).to_device(device, params.numerics)
        on_device = PanelOnDevice(panel, WINDOW, device)
        validation = validate(made, on_device, "validation", [1.0, 0.5])
        found.append((score(made, on_device, 3, 50).tobytes(), astuple(validation), hash_weights(made)))
    assert found[0] == found[1]


def test_an_ensemble_and_the_package_of_it_are_the_same(
    panel: Panel,
    network: Callable[..., Network],
    params: Params,
    devices: tuple[torch.device, ...],
    tmp_path: Path,
) -> None:
    """Scales of the members, scores, and golden predictions, which each device reproduces from the other's files."""
    found = []
    for device in devices:
        members = [network("finetune", opened=True, seed=seed) for seed in (1, 2)]
        on_device = PanelOnDevice(panel, WINDOW, device)
        model = join([member.to_device(device, params.numerics) for member in members], on_device)
        folder = tmp_path / device.type
        (folder / "golden").mkdir(parents=True)
        save(model, folder)
        write_golden(model, on_device, folder)
        scores, of_members = score_members(model, on_device, 20, 40)
        found.append((files(folder), scores.tobytes(), [each.tobytes() for each in of_members]))
    assert found[0] == found[1]
    for device in devices:
        for other in devices:
            loaded = load(tmp_path / other.type).to_device(device, params.numerics)
            assert max_golden_difference(loaded, tmp_path / other.type, device) == 0.0


@pytest.mark.slow
def test_the_attribution_of_an_ensemble_is_the_same(
    panel: Panel,
    schema: Schema,
    network: Callable[..., Network],
    params: Params,
    devices: tuple[torch.device, ...],
) -> None:
    """Permuted features of stocks and of sessions, neighbours emptied and permuted, weights, gains of phases."""
    found = []
    for device in devices:
        on_device = PanelOnDevice(panel, WINDOW, device)

        def load_phase(phase: str, on_device: PanelOnDevice = on_device) -> Any:
            members = [network(phase, opened=True, seed=seed) for seed in (1, 2)]
            return join([member.to_device(on_device.device, params.numerics) for member in members], on_device)

        bootstrap = Bootstrap(draws=100, mean_block=5, seed=0)
        found.append(attribute(load_phase, on_device, schema, [1, 2], bootstrap, lambda *_: None))
    assert repr(found[0].table) == repr(found[1].table)
    for name, frame in found[0].frames.items():
        assert frame.equals(found[1].frames[name]), name


@pytest.mark.slow
def test_the_numerics_probe_is_the_same(params: Params, devices: tuple[torch.device, ...]) -> None:
    def values(device: torch.device) -> Iterator[bytes]:
        torch.manual_seed(0)
        for each in (*probe._operations(device), *probe._steps(device, params.numerics)):
            yield np.ascontiguousarray(each).tobytes()

    assert list(values(devices[0])) == list(values(devices[1]))


@pytest.mark.slow
def test_a_fold_and_predictions_with_its_model_are_the_same(
    params: Params, devices: tuple[torch.device, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the dataset on disk to the files of the fold, and from a package and the dataset to scores."""
    monkeypatch.setattr(golden, "_STOCKS", 2)
    params = replace(params, train=replace(params.train, recipe=replace(RECIPE, batch_size=24, batch_stocks=2)))
    dataset, plan = write_dataset(tmp_path / "dataset"), planned(tmp_path)
    found = []
    for device in devices:
        place = tmp_path / device.type
        make(plan, dataset, params, device, place / "model", place / "scores.parquet", place / "logs")
        model = load(place / "model").to_device(device, params.numerics)
        package = place / "package"
        (package / "golden").mkdir(parents=True)
        save(model, package)
        for name in ("schema.json", "preprocess.json"):
            (package / name).write_bytes((dataset / name).read_bytes())
        panel = predict.read_panel(dataset)
        write_golden(model, PanelOnDevice(panel, WINDOW, device), package)
        write_manifest(package)
        monkeypatch.setattr(predict, "prepare", lambda numerics, device=device: device)
        predictions = predict.predict(package, dataset, params.numerics)
        assert predictions.max_golden_difference == 0.0
        written = {name: content for name, content in files(place).items() if Path(name).parts[0] != "logs"}
        found.append((written, predictions.frame))
    assert differing(found[0][0], found[1][0]) == []
    assert found[0][1].equals(found[1][1])
