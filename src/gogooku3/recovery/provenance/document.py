"""The provenance of a release as JSON: stages, phases, machines, libraries, logs. `promote` writes it, people read it.

User names and hosts are left out unless asked for. Text of logs is bounded.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gogooku3 import paths
from gogooku3.recovery.provenance.runs import PhaseRun, StageRun, phase_runs, phases_of, stage_runs, stages_of
from gogooku3.recovery.releases import git
from gogooku3.recovery.releases.record import LONGEST

FORMAT = 1

_LOG, _LOGS = 1 << 20, 8 << 20
"""Limits in bytes of a log or curve, and of all: even if JSON escapes every byte, the object is below `LARGEST`."""
_LOCKED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)
_NO_RECORD = "no record of a run with these outputs on the machine of the promotion"


@dataclass(frozen=True)
class Document:
    """The provenance of a commit, and what of it the tag records."""

    content: bytes
    training_seconds: float | None
    hardware: str | None


def collect(root: Path, tag: str, commit: str, *, with_user: bool) -> Document:
    """Makes the provenance of a commit, whose outputs are in the working tree, from the records in `logs/`.

    Args:
        with_user: name the user and the host of each stage's run.
    """
    stages = stages_of(root, commit)
    phases = phases_of(root, stages)
    stage_records, phase_records = stage_runs(root, stages), phase_runs(root, phases)
    machines: list[dict[str, Any]] = []
    environments: list[dict[str, str]] = []

    def stage(run: StageRun | None) -> dict[str, Any]:
        if run is None:
            return {"run": None, "reason": _NO_RECORD}
        entry = {"started": run.started, "seconds": run.seconds, "outputs": run.outputs}
        entry |= {"machine": _index(machines, run.machine), "environment": _index(environments, run.installed)}
        return {"run": entry | ({"user": run.user, "host": run.host} if with_user else {})}

    content = {
        "format": FORMAT,
        "tag": tag,
        "commit": commit,
        "released": datetime.now(UTC).isoformat(timespec="seconds"),
        "stages": {name: stage(run) for name, run in stage_records.items()},
        "phases": {name: _phase(root, found) for name, found in phase_records.items()},
        "machines": machines,
        "environments": environments,
        "locked": dict(_LOCKED.findall(git.show(root, commit, paths.REQUIREMENTS) or "")),
        "logs": _logs(root, [found[0] for found in phase_records.values() if found is not None]),
    }
    own = [phase for phase in phases if not phase.in_fold]
    runs = [found[1] for phase in own if (found := phase_records[phase.name]) is not None]
    trained = [run.machine for phase in own if (run := stage_records[phase.stage]) is not None]
    return Document(
        (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", "backslashreplace"),
        _seconds(runs) if own and len(runs) == len(own) else None,
        "; ".join(dict.fromkeys(map(_hardware, trained)))[:LONGEST] if own and len(trained) == len(own) else None,
    )


def _phase(root: Path, found: tuple[Path, PhaseRun] | None) -> dict[str, Any]:
    """Duration and speed of a phase's run, over all its segments; validation included."""
    if found is None:
        return {"run": None, "reason": _NO_RECORD}
    file, run = found
    seconds, samples = _seconds([run]), sum(segment.samples for segment in run.segments)
    return {
        "run": {
            "seconds": seconds,
            "samples_per_second": round(samples / seconds, 1) if seconds else None,
            "segments": [asdict(segment) for segment in run.segments],
            "log": str(file.with_suffix(".log").relative_to(root)),
            "curve": str(file.with_suffix(".csv").relative_to(root)),
        }
    }


def _seconds(runs: list[PhaseRun]) -> float:
    return round(sum(segment.seconds for run in runs for segment in run.segments), 3)


def _hardware(machine: dict[str, Any]) -> str:
    """`2 × NVIDIA H200`, or `AMD EPYC 7763, 16 CPUs`."""
    gpu = machine.get("gpu")
    if isinstance(gpu, dict):
        return f"{gpu['count']} × {gpu['name']}" if gpu.get("count", 1) != 1 else str(gpu.get("name"))
    return f"{machine.get('cpu')}, {machine.get('cpus')} CPUs"


def _logs(root: Path, timings: list[Path]) -> dict[str, str]:
    """The text of each run's log and learning curve, by path."""
    files = [file.with_suffix(ending) for file in timings for ending in (".log", ".csv")]
    files = [file for file in files if file.is_file()]
    limit = min(_LOG, _LOGS // max(len(files), 1))
    return {str(file.relative_to(root)): _text(file, limit) for file in files}


def _text(file: Path, limit: int) -> str:
    """The text of a file; of a longer one, its beginning and its end."""
    content = file.read_bytes()
    if len(content) > limit:
        gap = f"\n[{len(content) - limit} bytes left out]\n".encode()
        content = content[: limit // 2] + gap + content[len(content) - limit // 2 :]
    return content.decode("utf-8", "replace")


def _index(table: list[Any], value: object) -> int:
    """The position of a value in a table, to which it is added if it is new."""
    if value not in table:
        table.append(value)
    return table.index(value)
