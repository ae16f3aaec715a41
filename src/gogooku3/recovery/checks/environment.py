"""What decides the bits, here and where a package was made, entry by entry.

==========  =========================================================================================================
exact       The entry is the same. Where all are, the golden predictions must come out to the bit.
neutral     It decides no bit, whatever it is: Python's version and the C library. `benchmarks/results` has the matrix
            that compares them, file by file. A package does not record them; they are shown for whoever compares.
unknown     It differs, and nobody has proved that the bits do not: another device model or instruction set, another
            number of threads, another version or build (`+cpu`, `+cu130`) of torch, NumPy or safetensors, an entry
            that only one side has. Predictions are compared with a tolerance.
breaking    A library here is older than the oldest that this code works with (`OLDEST`).
==========  =========================================================================================================

The entry `probe` is what the numerics probe gives (`gogooku3.model.probe`): it differs where anything else that decides
bits does, the code of the network included. The operating system and the number of cores decide nothing.
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
    """One entry of `environment.json`; None on the side that does not have it."""

    entry: str
    package: str | None
    here: str | None
    standing: Standing

    def __str__(self) -> str:
        return f"{self.entry} {self.package} in the package, {self.here} here ({self.standing})"


def environment(files: PackageFiles) -> Finding:
    """What decides the bits is here as it was when the package was made; nothing here is too old to work."""
    entries = differences(files.package)
    other = [entry for entry in entries if entry.standing != "exact"]
    details = tuple(asdict(entry) for entry in (*entries, *_neutral()))
    if not other:
        return Finding("passed", f"{len(entries)} of {len(entries)} entries exact", details=details)
    found = f"{len(entries) - len(other)} of {len(entries)} entries exact; {'; '.join(str(entry) for entry in other)}"
    remedy = f"for bits, set up what `{ENVIRONMENT}` names: the device, and `pip install -r requirements.lock`"
    if [entry.entry for entry in other] == [PROBE]:
        cause, remedy = _cause(other[0], usable(read_numerics(files.package)))
        found += f"; {cause}"
    if any(entry.standing == "breaking" for entry in other):
        return Finding("failed", found, "install the package's commit: `pip install -r requirements.lock`", details)
    return Finding("noted", found, remedy, details)


def differences(package: Path) -> tuple[Entry, ...]:
    """Every entry of a package's `environment.json` and of this machine, compared.

    Raises:
        DataError: the package does not name its numerics.
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
    """Which side departs where nothing but the probe differs, and what to do."""
    departure = mismatch(numerics)
    if departure is not None:
        return departure, "`gogooku3 doctor` shows what this machine computes with"
    its_code = "check out the package's commit, and verify with the code there"
    if probe.package is None:
        return (
            "the package does not record the probe, as those made before version 0.2.0: its own commit gives its scores"
            " to the bit, on the C library that made it; here a tolerance is allowed",
            its_code,
        )
    if known_value(numerics) is None:
        return "nothing is known of this domain that would tell which of the two departs from it", its_code
    return (
        "this machine computes the bits of its domain: the package was made by another version of the code, or on a"
        " machine outside the domain",
        its_code,
    )


def _neutral() -> tuple[Entry, ...]:
    """What differs between machines and decides no bit."""
    return tuple(Entry(name, None, version, "neutral") for name, version in software().items())


def usable(numerics: Numerics) -> Numerics:
    """The package's numerics, on the CPU where they name a CUDA device and none is here."""
    return replace(numerics, device="cpu") if numerics.device == "cuda" and not torch.cuda.is_available() else numerics


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
