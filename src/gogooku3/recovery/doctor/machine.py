"""Room on the disk, the device that the parameters name, and whether this machine computes the bits of its domain."""

from __future__ import annotations

import shutil
from pathlib import Path

from rich.filesize import decimal

from gogooku3 import config, paths
from gogooku3.errors import DataError
from gogooku3.recovery.checks.verdict import Finding
from gogooku3.recovery.storage.lock import outputs
from gogooku3.recovery.storage.open import open_cache
from gogooku3.runtime import numerics


def disk(root: Path) -> Finding:
    """There is room for what `dvc.lock` records and is not here yet: once in the cache, once in the working tree.

    DVC copies from one to the other where the file system has no reflinks.
    """
    try:
        recorded = outputs(root, None)
    except DataError as error:  # the pipeline was edited and did not run yet
        return Finding("skipped", error.message, error.hint)
    cache = open_cache(root)
    sizes = {output.md5: output.size or 0 for output in recorded}
    held = cache.look_up(sizes)
    absent = {
        "cache": sum(size for oid, size in sizes.items() if oid not in held),
        "working tree": sum(output.size or 0 for output in recorded if not (root / output.path).exists()),
    }
    places = {"cache": _existing(Path(cache.name)), "working tree": root}
    needed: dict[int, int] = {}
    for name, place in places.items():
        device = place.stat().st_dev
        needed[device] = needed.get(device, 0) + absent[name]
    told, short = [], False
    for name, place in places.items():
        free = shutil.disk_usage(place).free
        short = short or free < needed[place.stat().st_dev]
        told.append(f"{name}: {decimal(absent[name])} to come, {decimal(free)} free")
    if short:
        return Finding("failed", "; ".join(told), "make room, or move the cache: `dvc cache dir --local FOLDER`")
    return Finding("passed", "; ".join(told))


def device(root: Path) -> Finding:
    """Torch sees the device that `numerics.device` names."""
    wanted = config.load(root / paths.PARAMS).numerics
    numerics.pin(wanted)
    import torch

    seen = [
        f"{properties.name} with {decimal(properties.total_memory)}"
        for properties in map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
    ]
    asked = f"`numerics.device` is {wanted.device}, `numerics.processes` {wanted.processes}"
    told = f"{asked}; torch {torch.__version__} sees {', '.join(seen) or 'no GPU'}"
    if wanted.device == "cpu":
        return Finding("noted", f"{told}, and none is needed")
    if len(seen) >= wanted.processes:
        return Finding("passed", told)
    remedy = "ask for fewer `numerics.processes`" if seen else "install the driver and a CUDA build of torch"
    return Finding("failed", told, f"{remedy}, or `dvc exp run -S numerics.device=cpu`")


def probe(root: Path) -> Finding:
    """The numerics probe gives what is known of the domain that the parameters and this machine name."""
    wanted = config.load(root / paths.PARAMS).numerics
    numerics.pin(wanted)
    from gogooku3.model import probe

    numerics.prepare_torch(wanted)
    place = ", ".join(f"{name} {value}" for name, value in (probe.domain_key(wanted) | numerics.software()).items())
    told = f"{probe.probe(wanted)} with {place}"
    departure = probe.mismatch(wanted)
    if departure is not None:
        return Finding("failed", departure, "`pip install -r requirements.lock`, or train on another machine")
    if probe.known_value(wanted) is None:
        return Finding("noted", f"{told}; nothing is known of this domain to compare it with")
    return Finding("passed", f"{told}, as known")


def _existing(folder: Path) -> Path:
    """A folder, or the nearest above it that is there."""
    return next(place for place in (folder, *folder.parents) if place.exists())
