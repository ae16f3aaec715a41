"""Record of a stage's run: duration, machine and installed libraries, in `logs/runs/`, which neither Git nor DVC reads.

A record is bound to outputs of the stage by their hashes, so `promote` finds the runs that made what it releases. The
record of a run with other outputs is another file. Nothing here changes a result or fails a stage.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import platform
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gogooku3 import config, paths
from gogooku3.config.train import LAST_PHASE
from gogooku3.runtime import machine as system
from gogooku3.runtime.files import md5_file, write_json
from gogooku3.runtime.numerics import software

_TRAINED = ("history.json", "model.safetensors")

OUTPUTS: dict[str, Callable[..., list[Path]]] = {
    "quotes": lambda: [paths.QUOTES / "bars.parquet", paths.QUOTES / "rules.json"],
    "dataset": lambda: [paths.DATASET / "contents.json", paths.DATASET / "schema.json"],
    "quality": lambda: [paths.QUALITY_SUMMARY, paths.QUALITY_PAGE],
    "parent": lambda: [paths.PARENT / "lineage.json"],
    "train": lambda phase: [paths.model_of(phase) / name for name in _TRAINED],
    "member": lambda seed: [paths.MEMBERS / seed / f"{LAST_PHASE}/{name}" for name in _TRAINED],
    "ensemble": lambda: [paths.ENSEMBLE / "model.safetensors"],
    "baselines": lambda: [paths.BASELINES],
    "evaluate": lambda: [paths.PREDICTIONS, *(paths.metrics_of(split) for split in ("validation", "test"))],
    "attribution": lambda: [paths.ATTRIBUTION],
    "plan": lambda: sorted(paths.FOLD_PLANS.glob("*.json")),
    "fold": lambda number: [paths.fold_model(number) / "model.safetensors", paths.fold_scores(number)],
    "fold_baselines": lambda number: [paths.fold_baselines(number)],
    "join": lambda: [paths.metrics_of("walk_forward"), paths.sessions_of("walk_forward")],
    "report": lambda: [paths.TIER_PAGE],
    "package": lambda: [paths.PACKAGE / "MANIFEST.json"],
}
"""The outputs by which a run of each stage is identified, given the stage's arguments: few files that depend on all."""


def record_run(command: tuple[str, ...], started: datetime) -> None:
    """Writes the record of a finished run; if that fails, it prints a warning. Of several processes, rank 0 does."""
    if "TORCHELASTIC_RUN_ID" in os.environ and os.environ["RANK"] != "0":
        return
    seconds = (datetime.now(UTC) - started).total_seconds()
    try:
        outputs = {path.as_posix(): md5_file(path) for path in OUTPUTS[command[0]](*command[1:])}
        identity = hashlib.sha256(json.dumps(outputs).encode()).hexdigest()[:12]
        content = {
            "command": " ".join(command),
            "started": started.isoformat(timespec="seconds"),
            "seconds": round(seconds, 3),
            "outputs": outputs,
            "machine": machine(),
            "installed": installed(),
            "user": _user(),
            "host": platform.node(),
        }
        write_json(content, paths.RUNS / f"{'_'.join(command)}-{identity}.json")
    except Exception as error:  # a record is not worth a failed stage, whatever a library raises
        print(f"warning: the duration and machine of this run are not recorded: {error}", file=sys.stderr)  # noqa: T201


def machine() -> dict[str, Any]:
    """What a duration depends on; None for what this system does not tell."""
    return {
        "cpu": system.processor(),
        "cpus": system.cpus(),
        "memory_gib": _gib(system.memory()),
        "gpu": _gpu(),
        "os": f"{system.operating_system()}, {platform.system()} {platform.release()}",
        "software": software(),
    }


def installed() -> dict[str, str]:
    """The version of every installed distribution by name, from the names of their folders: reading them takes long."""
    return dict(sorted(_distributions()))


def _distributions() -> Iterator[tuple[str, str]]:
    for entry in reversed(sys.path):  # the first on the path is the one that is imported
        for folder in Path(entry).glob("*.dist-info"):
            name, _, version = folder.name.removesuffix(".dist-info").rpartition("-")
            yield re.sub(r"[-_.]+", "-", name).lower(), version


def _gpu() -> dict[str, Any] | None:
    """The GPUs on which a stage runs; None for a stage or configuration without."""
    numerics = config.load().numerics
    torch = sys.modules.get("torch")
    if numerics.device != "cuda" or torch is None:
        return None
    return {
        "name": torch.cuda.get_device_name(),
        "count": numerics.processes,
        "memory_gib": _gib(torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory),
        "driver": system.nvidia_driver(),
        "cuda": torch.version.cuda,
        "cudnn": str(torch.backends.cudnn.version()),
    }


def _gib(size: int) -> float:
    return round(size / (1 << 30), 1)


def _user() -> str | None:
    with suppress(OSError, KeyError):  # a user id without a name
        return getpass.getuser()
    return None
