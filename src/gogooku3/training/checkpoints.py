"""Training states on disk: whole or not there, two at most, each with the hash of what it holds.

They lie in a hidden folder beside the one that a phase writes at its end, such as `models/.gat.partial` beside
`models/gat`. DVC neither deletes nor hashes it: a stage that was killed, however, goes on from the newest whole state.
A state belongs to the inputs that it was made from and to no others: with it stands the name and value of each.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor

from gogooku3.errors import abbreviate
from gogooku3.runtime.files import replaced_file

_KEPT = 2
_SHARE = 0.02
"""Of the time, what saving may take."""
_LONGEST_S = 600.0
"""From one state to the next within an epoch, however long saving takes, and after a disk refused."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
    """All that a phase goes on from."""

    epoch: int
    step: int
    """Steps of the epoch that are done."""
    tensors: dict[str, Tensor]
    history: dict[str, Any]

    @property
    def place(self) -> str:
        """Where it stands in the phase."""
        return place(self.epoch, self.step)


def place(epoch: int, step: int) -> str:
    """A place in a phase, as people are told it."""
    return f"epoch {epoch}, step {step}"


class Checkpoints:
    """The states of a phase."""

    def __init__(self, target: Path, inputs: Mapping[str, Any], *, writes: bool = True) -> None:
        """
        Args:
            target: the folder that the phase writes at its end.
            inputs: everything that its bytes depend on, by name.
            writes: False for a process that only reads them, as all but the first of several do.
        """
        self._target = target
        self.folder = target.with_name(f".{target.name}.partial")
        self.last: str | None = None
        """Place of the newest whole state."""
        self._inputs = json.loads(json.dumps(inputs))
        self._writes = writes
        self._saved_at, self._pause = time.monotonic(), 0.0

    def newest(self) -> State | None:
        """The newest whole state of these inputs; whatever else lies in the folder is removed."""
        found = None
        for path in sorted(self.folder.glob("*"), reverse=True):
            state = self._read(path) if path.suffix == ".safetensors" and not path.name.startswith(".") else None
            if state is None:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            found = found or state
        if found is not None:
            self.last = found.place
            log.warning("going on from %s, saved in `%s`", found.place, self.folder)
        return found

    def due(self) -> bool:
        """Whether so much time has passed that another state is worth what it costs."""
        return self._writes and time.monotonic() - self._saved_at >= self._pause

    def save(self, state: State) -> None:
        """Writes a state in the place of the older of two. Where the disk refuses, training goes on without it."""
        if not self._writes:
            return
        began = time.monotonic()
        try:
            self._write(state)
        except OSError as error:
            log.warning(
                "the state of %s could not be saved in `%s`: %s; a crash would go back to %s",
                state.place, self.folder, error.strerror or error, self.last or "the start of the phase",
            )  # fmt: skip
            self._pause = _LONGEST_S
        else:
            self.last = state.place
            log.debug("saved the state of %s", state.place)
            self._pause = min((time.monotonic() - began) / _SHARE, _LONGEST_S)
        self._saved_at = time.monotonic()

    @contextmanager
    def delivered(self) -> Iterator[Path]:
        """A new folder whose files take their places in the phase's own when all are there; then the states are gone.

        A disk that fills up meanwhile leaves the files of the last good run, and the newest state. The states go when
        a power cut would leave the files.
        """
        whole = self.folder / "whole"
        shutil.rmtree(whole, ignore_errors=True)
        whole.mkdir(parents=True)
        yield whole
        self._target.mkdir(parents=True, exist_ok=True)
        for path in sorted(whole.iterdir()):
            _sync(path)
            path.replace(self._target / path.name)
        _sync(self._target)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write(self, state: State) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}
        record = json.dumps({"epoch": state.epoch, "step": state.step, "history": state.history})
        inputs = json.dumps(self._inputs)
        metadata = {"record": record, "inputs": inputs, "sha256": _digest(tensors, record, inputs)}
        content = serialise(tensors, metadata)
        for path in sorted(self.folder.glob("*.safetensors"))[: 1 - _KEPT]:
            path.unlink()
        with (
            replaced_file(self.folder / f"{state.epoch:06}-{state.step:09}.safetensors") as partial,
            partial.open("wb") as file,
        ):
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _sync(self.folder)

    def _read(self, path: Path) -> State | None:
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            whole = metadata["sha256"] == _digest(tensors, metadata["record"], metadata["inputs"])
        except (SafetensorError, OSError, KeyError) as error:
            log.warning("the state `%s` is not whole and was discarded: %s", path, error)
            return None
        if not whole:
            log.warning("the state `%s` does not hold what was saved and was discarded", path)
            return None
        inputs, record = json.loads(metadata["inputs"]), json.loads(metadata["record"])
        if inputs != self._inputs:
            log.warning("the state `%s` was discarded: %s", path, _differences(inputs, self._inputs))
            return None
        return State(record["epoch"], record["step"], tensors, record["history"])


def _digest(tensors: Mapping[str, Tensor], *texts: str) -> str:
    digest = hashlib.sha256("\0".join(texts).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\0{name}\0{tensor.dtype}{list(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _differences(saved: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """The inputs that are others now."""
    names = sorted(name for name in saved.keys() | here.keys() if saved.get(name) != here.get(name))
    return f"it was made from other inputs: {abbreviate(f'`{name}`' for name in names)}"


def _sync(path: Path) -> None:
    """Makes sure that a power cut leaves what a file holds, or the names that a folder has for its files."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
