"""Compares a package's recorded environment with this machine's, entry by entry, to know if results must be exact.

==========  =========================================================================================================
exact       The entry is the same. If all entries are, the golden predictions must be bitwise identical.
neutral     It does not affect results: Python's version and the C library. `benchmarks/results` has the matrix that
            compares them, file by file. A package does not record them; they are shown for information.
unknown     It differs, and it is not proven that results stay the same: another device model or instruction set,
            another number of threads, another version or build (`+cpu`, `+cu130`) of torch, NumPy or safetensors, an
            entry that only one side has. Predictions are compared with a tolerance.
breaking    A library here is older than the oldest that this code works with (`OLDEST`).
==========  =========================================================================================================

The entry `probe` is the result of the numerics probe (`gogooku3.model.probe`): it differs if anything else that affects
results does, including the code of the network. The operating system and the number of cores have no effect.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from packaging.version import Version

from gogooku3.config.numerics import Numerics
from gogooku3.model.probe import current_domain, known_value, mismatch
from gogooku3.package.environment import ENVIRONMENT, read_numerics
from gogooku3.recovery.checks.package_files import PackageFiles
from gogooku3.recovery.checks.verdict import Finding
from gogooku3.runtime.numerics import prepare_torch, result_parameters, software

OLDEST = {"versions.torch": "2.11", "versions.numpy": "2.1", "versions.safetensors": "0.5"}
"""The lower bounds of `pyproject.toml`."""

PROBE = "probe"

Standing = Literal["exact", "neutral", "unknown", "breaking"]


@dataclass(frozen=True)
class Entry:
    """One entry of `environment.json` on both sides; None on the side that does not have it."""

    entry: str
    package: str | None
    here: str | None
    standing: Standing

    def __str__(self) -> str:
        return f"{self.entry} {self.package} in the package, {self.here} here ({self.standing})"


def environment(files: PackageFiles) -> Finding:
    """The environment matches the package's in everything that affects results, and no library is too old."""
    entries = differences(files.package)
    other = [entry for entry in entries if entry.standing != "exact"]
    details = tuple(asdict(entry) for entry in (*entries, *_neutral()))
    if not other:
        return Finding("passed", f"{len(entries)} of {len(entries)} entries exact", details=details)
    found = f"{len(entries) - len(other)} of {len(entries)} entries exact; {'; '.join(str(entry) for entry in other)}"
    remedy = f"for exact results, use the device in `{ENVIRONMENT}`, and `pip install -r requirements.lock`"
    if [entry.entry for entry in other] == [PROBE]:
        cause, remedy = _cause(other[0], usable(read_numerics(files.package)))
        found += f"; {cause}"
    if any(entry.standing == "breaking" for entry in other):
        return Finding("failed", found, "install the package's commit: `pip install -r requirements.lock`", details)
    return Finding("noted", found, remedy, details)


def differences(package: Path) -> tuple[Entry, ...]:
    """Every entry of a package's `environment.json` and of this machine, compared.

    Raises:
        DataError: the package does not record its numerics.
    """
    numerics = read_numerics(package)
    recorded = json.loads((package / ENVIRONMENT).read_text(encoding="utf-8")) | {
        "numerics": result_parameters(numerics)
    }
    prepare_torch(usable(numerics))
    return compare(dict(_entries(recorded)), dict(_entries(current_domain(usable(numerics)))))


def compare(recorded: dict[str, str], here: dict[str, str]) -> tuple[Entry, ...]:
    """Entries of both sides by dotted name, the package's first."""
    return tuple(
        Entry(name, recorded.get(name), here.get(name), _standing(name, recorded.get(name), here.get(name)))
        for name in {**recorded, **here}
    )


def _cause(probe: Entry, numerics: Numerics) -> tuple[str, str]:
    """The likely cause if only the probe differs, and a hint."""
    deviation = mismatch(numerics)
    if deviation is not None:
        return deviation, "run `gogooku3 doctor` to see this machine's instruction set and libraries"
    own_code = "check out the package's commit, and verify with the code there"
    if probe.package is None:
        return (
            "the package was made before version 0.2.0 and does not record the probe: only its own commit, on the C"
            " library that made it, gives bitwise identical scores; here a tolerance is allowed",
            own_code,
        )
    if known_value(numerics) is None:
        return "there is no known probe value for this domain, so it is open which of the two deviates", own_code
    return (
        "this machine has the known probe value of its domain: the package was made by another version of the code, or"
        " on a machine outside the domain",
        own_code,
    )


def _neutral() -> tuple[Entry, ...]:
    """Entries that differ between machines and do not affect results."""
    return tuple(Entry(name, None, version, "neutral") for name, version in software().items())


def usable(numerics: Numerics) -> Numerics:
    """The package's numerics, with the CPU instead of a CUDA device if this machine has none; a CPU has no TF32."""
    if numerics.device != "cuda" or torch.cuda.is_available():
        return numerics
    return replace(numerics, device="cpu", precision="float32" if numerics.precision == "tf32" else numerics.precision)


def _standing(name: str, recorded: str | None, here: str | None) -> Standing:
    if recorded == here:
        return "exact"
    if name in OLDEST and here is not None and Version(here).release < Version(OLDEST[name]).release:
        return "breaking"
    return "unknown"


def _entries(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _entries(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(value)
