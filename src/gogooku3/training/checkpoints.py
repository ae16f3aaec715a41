"""Checkpoints: training states on disk, written atomically, at most two, each with a checksum (SHA-256).

They are in a hidden folder next to the output folder of the phase, such as `models/.gat.partial` next to `models/gat`.
DVC neither deletes nor hashes it, so a killed stage resumes from its newest intact checkpoint. A checkpoint records
name and value of every input of the phase; if one has changed, the checkpoint is stale and is discarded.
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

from gogooku3.errors import RefusedError, abbreviate
from gogooku3.runtime.files import exclusive, lock_of, replaced_file
from gogooku3.runtime.interruption import held

_KEPT = 2
_DIGITS = 12
"""Digits of the short hash of a run."""
_SHARE = 0.02
"""Fraction of the training time that saving may take."""
_LONGEST_S = 600.0
"""Upper limit of the time between two checkpoints within an epoch; also the wait after a failed save."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
    """Training state of a phase: everything that resuming needs."""

    epoch: int
    step: int
    """Finished steps of the epoch."""
    tensors: dict[str, Tensor]
    history: dict[str, Any]

    @property
    def position(self) -> str:
        """Epoch and step, as printed."""
        return position(self.epoch, self.step)


def position(epoch: int, step: int) -> str:
    """Epoch and step, as printed in logs and messages."""
    return f"epoch {epoch}, step {step}"


class Checkpoints:
    """The checkpoints of a phase."""

    def __init__(self, target: Path, inputs: Mapping[str, Any], *, writes: bool = True) -> None:
        """
        Args:
            target: output folder of the phase.
            inputs: everything that its output bytes depend on, by name (`state_key`).
            writes: False for a process that only reads checkpoints: all ranks but 0.
        """
        self._target = target
        self.folder = target.with_name(f".{target.name}.partial")
        self.last: str | None = None
        """Position of the newest intact checkpoint."""
        self._inputs = json.loads(json.dumps(inputs))
        self._writes = writes
        self._saved_at, self._pause = time.monotonic(), 0.0

    @property
    def run(self) -> str:
        """Short hash of the inputs: it identifies the run, also after a stop."""
        return hashlib.sha256(json.dumps(self._inputs, sort_keys=True).encode()).hexdigest()[:_DIGITS]

    def newest(self) -> State | None:
        """The newest intact checkpoint of these inputs; corrupt, stale and partial files in the folder are removed."""
        newest = None
        for path in sorted(self.folder.glob("*"), reverse=True):
            state = self._read(path) if path.suffix == ".safetensors" and not path.name.startswith(".") else None
            if state is None:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            newest = newest or state
        if newest is not None:
            self.last = newest.position
            log.warning("resuming from %s, checkpoint in `%s`", newest.position, self.folder)
        return newest

    def due(self) -> bool:
        """Whether enough time has passed since the last checkpoint for another."""
        return self._writes and time.monotonic() - self._saved_at >= self._pause

    def save(self, state: State) -> None:
        """Writes a checkpoint and removes the older one of two. If the write fails, it warns and training continues."""
        if not self._writes:
            return
        began = time.monotonic()
        try:
            self._write(state)
        except OSError as error:
            log.warning(
                "the checkpoint of %s could not be saved in `%s`: %s; after a crash training would resume from %s",
                state.position, self.folder, error.strerror or error, self.last or "the start of the phase",
            )  # fmt: skip
            self._pause = _LONGEST_S
        else:
            self.last = state.position
            log.debug("saved the checkpoint of %s", state.position)
            self._pause = min((time.monotonic() - began) / _SHARE, _LONGEST_S)
        self._saved_at = time.monotonic()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Context manager: no other process may train this phase meanwhile; raises `RefusedError` if one does.

        Two of them would remove each other's checkpoints and mix their outputs.
        """

        def busy(process: str) -> RefusedError:
            return RefusedError(
                f"`{self._target}` is being trained by another process{process}",
                hint="wait for its end; the same command then resumes from its newest checkpoint",
            )

        if self._writes:
            with exclusive(lock_of(self._target), busy):
                yield
        else:
            yield

    @contextmanager
    def publish(self) -> Iterator[Path]:
        """Context manager: a staging folder whose files move to the output folder at the end; then the checkpoints are
        removed.

        If the disk fills up before that, the output of the last good run and the newest checkpoint stay. Checkpoints
        are removed only after the output has been synced to disk.
        """
        staging = self.folder / "staging"
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        yield staging
        self._target.mkdir(parents=True, exist_ok=True)
        with held():
            for path in sorted(staging.iterdir()):
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
            intact = metadata["sha256"] == _digest(tensors, metadata["record"], metadata["inputs"])
        except (SafetensorError, OSError, KeyError) as error:
            log.warning("the checkpoint `%s` is corrupt and was discarded: %s", path, error)
            return None
        if not intact:
            log.warning("the checkpoint `%s` does not match its checksum and was discarded", path)
            return None
        inputs, record = json.loads(metadata["inputs"]), json.loads(metadata["record"])
        if inputs != self._inputs:
            log.warning("the checkpoint `%s` is stale and was discarded: %s", path, _differences(inputs, self._inputs))
            return None
        return State(record["epoch"], record["step"], tensors, record["history"])


def _digest(tensors: Mapping[str, Tensor], *texts: str) -> str:
    digest = hashlib.sha256("\0".join(texts).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\0{name}\0{tensor.dtype}{list(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _differences(saved: Mapping[str, Any], current: Mapping[str, Any]) -> str:
    """The names of the changed inputs, as text."""
    names = sorted(name for name in saved.keys() | current.keys() if saved.get(name) != current.get(name))
    return f"these inputs have changed: {abbreviate(f'`{name}`' for name in names)}"


def _sync(path: Path) -> None:
    """Flushes a file's content, or a folder's entries, to disk (fsync), so that they survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
