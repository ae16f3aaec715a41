"""Writes an evening: scores and weights as one table, and beside it a JSON file that says what they were made from."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from gogooku3 import source
from gogooku3.model.weights import WEIGHTS
from gogooku3.package.manifest import MANIFEST
from gogooku3.runtime.files import sha256_file, write_csv, write_json, write_parquet
from gogooku3.serving.evening import Evening


def write(evening: Evening, output: Path) -> Path:
    """Writes the table (.parquet or .csv) and its provenance (`NAME.json`), whose path it returns."""
    (write_parquet if output.suffix == ".parquet" else write_csv)(evening.frame, output)
    document = output.with_name(f"{output.stem}.json")
    write_json(provenance(evening, output), document)
    return document


def provenance(evening: Evening, output: Path) -> dict[str, Any]:
    """What the scores were made from; no clock, host or path."""
    panel, release = evening.scored.panel, evening.release
    sessions = panel.sessions[evening.first :]
    return {
        "release": {
            "name": release.name,
            "commit": release.commit,
            "model_sha256": sha256_file(release.package / WEIGHTS),
            "manifest_sha256": sha256_file(release.package / MANIFEST),
            "abi": panel.abi,
        },
        "bars": {"sha256": evening.bars, "last": str(panel.sessions[-1]), "stocks": int(panel.present_TS[-1].sum())},
        "scores": {
            "file": output.name,
            "sha256": sha256_file(output),
            "rows": len(evening.frame),
            "first": str(sessions[0]),
            "last": str(sessions[-1]),
        },
        "code": {"version": _version(), "sha256": _code()},
        "accepted": list(evening.accepted),
        "findings": [
            {name: value for name, value in finding.as_json().items() if name != "details"}
            for finding in evening.findings
        ],
    }


def _version() -> str:
    try:
        return version("gogooku3")
    except PackageNotFoundError:
        return "unknown"


def _code() -> str:
    """SHA-256 over all files of the running source."""
    return hashlib.sha256(json.dumps(source.digests(), sort_keys=True).encode()).hexdigest()
