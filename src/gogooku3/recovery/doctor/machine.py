"""Checks of free disk space, of the GPU or CPU that the parameters select, and of bitwise reproducibility (probe)."""

from __future__ import annotations

import os
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
    """Check: free disk space for the missing outputs in `dvc.lock`, both in the cache and in the working tree.

    DVC copies from one to the other if the file system has no reflinks.
    """
    try:
        recorded = outputs(root, None)
    except DataError as error:  # the pipeline was edited and has not run since
        return Finding("skipped", error.message, error.hint)
    cache = open_cache(root)
    sizes = {output.md5: output.size or 0 for output in recorded}
    cached = {oid for oid in sizes if os.path.exists(cache.file(oid))}  # noqa: PTH110  (False without permission)
    missing = {
        "cache": sum(size for oid, size in sizes.items() if oid not in cached),
        "working tree": sum(output.size or 0 for output in recorded if not (root / output.path).exists()),
    }
    folders = {"cache": _nearest_existing(Path(cache.name)), "working tree": root}
    needed: dict[int, int] = {}
    for name, folder in folders.items():
        device = folder.stat().st_dev
        needed[device] = needed.get(device, 0) + missing[name]
    lines, is_short = [], False
    for name, folder in folders.items():
        free = shutil.disk_usage(folder).free
        is_short = is_short or free < needed[folder.stat().st_dev]
        lines.append(f"{name}: needs {decimal(missing[name])} more, {decimal(free)} free")
    message = "; ".join(lines)
    if is_short:
        return Finding(
            "failed",
            message,
            "free disk space (`dvc gc $(gogooku3 audit --gc-flags)` keeps every tag), or move the cache:"
            " `dvc cache dir --local FOLDER`",
        )
    return Finding("passed", message)


def device(root: Path) -> Finding:
    """Check: PyTorch sees the device of `numerics.device` (GPUs, CUDA)."""
    wanted = config.load(root / paths.PARAMS).numerics
    numerics.pin(wanted)
    import torch

    gpus = [
        f"{properties.name} with {decimal(properties.total_memory)}"
        for properties in map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
    ]
    config_text = f"`numerics.device` is {wanted.device}, `numerics.processes` {wanted.processes}"
    message = f"{config_text}; torch {torch.__version__} sees {', '.join(gpus) or 'no GPU'}"
    if wanted.device == "cpu":
        return Finding("noted", f"{message}, and none is needed")
    if len(gpus) >= wanted.processes:
        return Finding("passed", message)
    remedy = (
        "reduce `numerics.processes`, or start several machines with `torchrun`"
        if gpus
        else "install the driver and a CUDA build of torch"
    )
    on_cpu = "`dvc exp run -S numerics.device=cpu -S numerics.precision=float32`"
    return Finding("failed", message, f"{remedy}, or {on_cpu}")


def probe(root: Path) -> Finding:
    """Check: the numerics probe gives the known value of this numerics domain (device, kernels, library versions)."""
    wanted = config.load(root / paths.PARAMS).numerics
    numerics.pin(wanted)
    from gogooku3.model import probe

    numerics.prepare_torch(wanted)
    domain = ", ".join(f"{name} {value}" for name, value in (probe.domain_key(wanted) | numerics.software()).items())
    message = f"{probe.probe(wanted)} with {domain}"
    mismatch = probe.mismatch(wanted)
    if mismatch is not None:
        return Finding("failed", mismatch, "`pip install -r requirements.lock`, or train on another machine")
    if probe.known_value(wanted) is None:
        return Finding("noted", f"{message}; no value of this domain is known to compare with")
    return Finding("passed", f"{message}, the known value")


def _nearest_existing(folder: Path) -> Path:
    """The folder, or its nearest parent that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())
