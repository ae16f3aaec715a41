"""Checkpoints on disk: two at most; corrupt or stale ones are discarded."""

from __future__ import annotations

import logging
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gogooku3.errors import RefusedError
from gogooku3.training import checkpoints
from gogooku3.training.checkpoints import Checkpoints, State

INPUTS = {"train.recipe.seed": 1, "data/dataset/contents.json": "0a", "versions": ["2.13"]}


def state(epoch: int, step: int) -> State:
    tensors = {
        "weights:a": torch.full((3, 2), epoch + step / 8),
        "moments:step.a": torch.tensor(float(step)),
        "moments:count": torch.tensor([step], dtype=torch.int64),
    }
    return State(epoch, step, tensors, {"step_losses": [0.1 + step, 1e-300], "epochs": []})


def equal(one: State | None, two: State) -> bool:
    return (
        one is not None
        and (one.epoch, one.step, one.history) == (two.epoch, two.step, two.history)
        and one.tensors.keys() == two.tensors.keys()
        and all(torch.equal(one.tensors[name], tensor) for name, tensor in two.tensors.items())
    )


@pytest.fixture
def open_checkpoints(tmp_path: Path) -> Callable[..., Checkpoints]:
    """The checkpoints of a phase, as a new process opens them."""
    return lambda inputs=INPUTS: Checkpoints(tmp_path / "gat", inputs)


def names(store: Checkpoints) -> list[str]:
    return sorted(path.name for path in store.folder.iterdir())


def test_without_checkpoints_there_is_nothing_to_resume(open_checkpoints: Callable[..., Checkpoints]) -> None:
    assert open_checkpoints().newest() is None


def test_the_newest_of_two_checkpoints_is_read_bitwise(open_checkpoints: Callable[..., Checkpoints]) -> None:
    store = open_checkpoints()
    for place in ((0, 3), (0, 12), (1, 0), (10, 2)):
        store.save(state(*place))
        assert len(names(store)) <= 2
    assert equal(open_checkpoints().newest(), state(10, 2))
    assert names(store) == ["000001-000000000.safetensors", "000010-000000002.safetensors"]


def test_states_lie_where_dvc_and_git_look_away(open_checkpoints: Callable[..., Checkpoints]) -> None:
    assert open_checkpoints().folder.name == ".gat.partial"


@pytest.mark.parametrize("damage", ["truncated", "a header's byte", "a tensor's byte", "empty", "text"])
def test_a_newest_state_that_is_not_whole_is_discarded_for_the_one_before(
    damage: str, open_checkpoints: Callable[..., Checkpoints], caplog: pytest.LogCaptureFixture
) -> None:
    store = open_checkpoints()
    store.save(state(0, 3))
    store.save(state(0, 5))
    newest = store.folder / names(store)[-1]
    content = bytearray(newest.read_bytes())
    if damage == "truncated":
        del content[-5:]
    elif damage == "a header's byte":
        content[content.index(b"1e-300")] ^= 1
    elif damage == "a tensor's byte":
        content[-1] ^= 1
    else:
        content = bytearray(b"" if damage == "empty" else b"no tensors at all")
    newest.write_bytes(content)
    again = open_checkpoints()
    with caplog.at_level(logging.WARNING):
        assert equal(again.newest(), state(0, 3))
    assert f"the checkpoint `{newest}`" in caplog.text
    assert "discarded" in caplog.text
    assert "resuming from epoch 0, step 3" in caplog.text
    assert names(again) == ["000000-000000003.safetensors"]


@pytest.mark.parametrize(
    ("inputs", "named"),
    [
        (INPUTS | {"train.recipe.seed": 2}, "`train.recipe.seed`"),
        (INPUTS | {"versions": ["2.11"]}, "`versions`"),
        (INPUTS | {"code": "ff"}, "`code`"),
        ({"train.recipe.seed": 1, "versions": ["2.13"]}, "`data/dataset/contents.json`"),
    ],
)
def test_a_state_of_other_inputs_is_discarded_and_they_are_named(
    inputs: dict[str, object],
    named: str,
    open_checkpoints: Callable[..., Checkpoints],
    caplog: pytest.LogCaptureFixture,
) -> None:
    open_checkpoints().save(state(0, 3))
    with caplog.at_level(logging.WARNING):
        assert open_checkpoints(inputs).newest() is None
    assert f"is stale and was discarded: these inputs have changed: {named}" in caplog.text
    assert names(open_checkpoints()) == []


def test_partial_files_of_a_killed_save_are_removed(open_checkpoints: Callable[..., Checkpoints]) -> None:
    store = open_checkpoints()
    store.save(state(0, 3))
    (store.folder / ".000000-000000005.safetensors.partial").write_bytes(b"half")
    (store.folder / "staging").mkdir()
    (store.folder / "staging/config.json").touch()
    assert equal(open_checkpoints().newest(), state(0, 3))
    assert names(store) == ["000000-000000003.safetensors"]


def test_saving_takes_its_share_of_the_time_and_no_more(
    open_checkpoints: Callable[..., Checkpoints], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: clock[0])
    write = Checkpoints._write

    def takes(seconds: float) -> None:
        def slow(self: Checkpoints, saved: State) -> None:
            clock[0] += seconds
            write(self, saved)

        monkeypatch.setattr(Checkpoints, "_write", slow)

    store = open_checkpoints()
    assert store.due()
    for seconds, pause in ((0.5, 25.0), (2.0, 100.0), (60.0, 600.0)):
        takes(seconds)
        store.save(state(0, 1))
        clock[0] += pause - 0.01
        assert not store.due()
        clock[0] += 0.02
        assert store.due()


def test_files_are_delivered_together_and_then_no_state_is_left(
    open_checkpoints: Callable[..., Checkpoints], tmp_path: Path
) -> None:
    (tmp_path / "gat").mkdir()
    (tmp_path / "gat/a.json").write_text("old")
    store = open_checkpoints()
    store.save(state(0, 3))
    with pytest.raises(OSError, match="full"), store.publish() as folder:
        (folder / "a.json").write_text("new")
        raise OSError("full")
    assert (tmp_path / "gat/a.json").read_text() == "old"
    assert equal(open_checkpoints().newest(), state(0, 3))
    with store.publish() as folder:
        (folder / "a.json").write_text("new")
    assert (tmp_path / "gat/a.json").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["gat"]


def test_a_full_disk_costs_the_new_state_and_not_the_one_before(
    open_checkpoints: Callable[..., Checkpoints], caplog: pytest.LogCaptureFixture
) -> None:
    """The limit on the file size simulates a full disk."""
    large = replace(state(0, 5), tensors={"weights:a": torch.zeros(100_000)})
    store = open_checkpoints()
    store.save(state(0, 3))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with caplog.at_level(logging.WARNING):
            store.save(large)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "the checkpoint of epoch 0, step 5 could not be saved" in caplog.text
    assert "File too large; after a crash training would resume from epoch 0, step 3" in caplog.text
    assert not store.due()
    assert names(store) == ["000000-000000003.safetensors"]
    assert equal(open_checkpoints().newest(), state(0, 3))


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from gogooku3.training.checkpoints import Checkpoints, State

def store(folder):
    return Checkpoints(folder / "gat", {})

def save(folder, step):
    store(folder).save(State(0, step, {"weights:a": torch.full((9,), step)}, {}))

def killed_before(operation, folder):
    done = 0
    def hook(event, arguments):
        nonlocal done
        if event in ("open", "os.remove", "os.rename") and ".gat.partial" in str(arguments[0]):
            if done == operation:
                os.kill(os.getpid(), signal.SIGKILL)
            done += 1
    sys.addaudithook(hook)
    save(folder, 4)

for operation in range(100):
    folder = Path(sys.argv[1]) / str(operation)
    for step in (1, 2, 3):
        save(folder, step)
    child = os.fork()
    if child == 0:
        killed_before(operation, folder)
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
    assert len(list((folder / ".gat.partial").glob("0*"))) <= 2
    print(store(folder).newest().step)
"""
"""Saves a fourth checkpoint, and is killed before each file operation of that save."""


def test_killed_before_any_file_operation_of_a_save_the_newest_whole_state_is_left(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    left = [int(step) for step in done.stdout.split()]
    assert len(left) >= 4, "the older state removed, the new one written, renamed, its folder synced"
    assert left == [3] * left.count(3) + [4] * left.count(4)
    assert left[0] == 3
    assert left[-1] == 4


def test_one_process_at_a_time_trains_a_phase(open_checkpoints: Callable[..., Checkpoints]) -> None:
    with open_checkpoints().locked():
        refused = pytest.raises(
            RefusedError, match=rf"gat` is being trained by another process \(process {os.getpid()}\)"
        )
        with refused, open_checkpoints().locked():
            pass
        with Checkpoints(open_checkpoints().folder, INPUTS, writes=False).locked():
            pass  # another rank of the same training
    with open_checkpoints().locked():
        pass
