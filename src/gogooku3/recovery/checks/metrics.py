"""Checks a package's numbers: `metrics.json` against the evaluation's files, the model card against `metrics.json`.

`dvc.lock` records the hash of every file in `metrics/`. The package has the same tables, and `write_json` gives the
same bytes for the same table, so the hashes of the package's tables must be those of the files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import yaml

from gogooku3 import paths
from gogooku3.errors import DataError, MismatchError
from gogooku3.metrics.split_file import table_of
from gogooku3.recovery.checks.lock import outputs
from gogooku3.recovery.checks.package_files import FETCH, PackageFiles
from gogooku3.recovery.checks.verdict import Finding
from gogooku3.recovery.releases.headline import read_json
from gogooku3.recovery.untrusted import load_yaml
from gogooku3.runtime.files import json_text


def metrics(files: PackageFiles) -> Finding:
    """The package's metrics are those of the evaluation, and the model card has the same numbers."""
    tables = read_json(files.package / "metrics.json")
    compared, missing = [], []
    recorded = _recorded(files)
    for name, table in tables.items():
        path = str(paths.metrics_of(name))
        if path not in recorded:
            missing.append(f"`{path}`")
        elif hashlib.md5(json_text(table).encode(), usedforsecurity=False).hexdigest() != recorded[path]:
            raise MismatchError(
                f"`{name}` in `metrics.json` is not the `{path}` that `{files.lock}` records",
                hint="one of them was edited: `dvc repro --force evaluate package` writes both again",
            )
        else:
            compared.append(f"`{path}`")
    card = _compare_card(files, table_of(tables["test"]) if "test" in tables else None)
    found = [f"the same as {', '.join(compared)}"] if compared else []
    found += [card] if card else ["the model card was not compared: it has no results for model hubs"]
    found += [f"not compared: the hash of {', '.join(missing)} is not in a lock file"] if missing else []
    return Finding("passed" if compared or card else "skipped", "; ".join(found))


def _recorded(files: PackageFiles) -> dict[str, str]:
    """MD5 of every output in the lock file, by path; {} without a readable one: `lock` reports that."""
    try:
        return {} if files.lock is None else outputs(files.lock)
    except DataError:
        return {}


def _compare_card(files: PackageFiles, test: Any) -> str:
    """Compares the results in the card's front matter with the metrics of the test split; "" if it has none."""
    text = (files.package / "README.md").read_text(encoding="utf-8")
    _, fence, rest = text.partition("---\n")
    try:
        (model,) = load_yaml(rest.partition("\n---\n")[0])["model-index"] if fence else []
        listed = {each["type"]: each["value"] for each in model["results"][0]["metrics"]}
    except (yaml.YAMLError, ValueError, KeyError, TypeError, IndexError):
        return ""
    values = dict(_values(test))
    for name, value in listed.items():
        if values.get(name) != value:
            raise MismatchError(
                f"the model card has {name} {value} on test, and `metrics.json` has {values.get(name)}", hint=FETCH
            )
    return f"the model card has the same {len(listed)} values on test"


def _values(test: Any) -> Iterator[tuple[str, float]]:
    """The values that a card lists, with its six decimals."""
    cells = {name: test[name] for name in ("sharpe", "mean_rank_ic") if name in test}
    cells |= {f"rank_ic_{horizon}": cell for horizon, cell in test["rank_ic"].items()}
    yield from ((name, round(cell["value"], 6)) for name, cell in cells.items() if cell["value"] is not None)
