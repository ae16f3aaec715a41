"""Computes a working tree's metrics again from its scores, targets and quotes, and compares every file that has them.

The numbers of a release follow from other files: `metrics/` and `plots/` from `data/predictions.parquet`,
`data/baselines.parquet`, `data/dataset` and `data/quotes`, and the results in the model card from `metrics/`.
`dvc commit --force` records an edited file as if a stage had written it; only computing it again shows the edit.
"""

from __future__ import annotations

import math
import re
from dataclasses import asdict
from pathlib import Path

import polars as pl

from gogooku3 import config, paths
from gogooku3.baselines.table import read_scores
from gogooku3.config import Params
from gogooku3.config.evaluation import Measures
from gogooku3.errors import DataError, RefusedError
from gogooku3.evaluation import splits
from gogooku3.evaluation.scores import from_frame
from gogooku3.metrics.split_file import table_of
from gogooku3.package.results import results_section
from gogooku3.package.walk_forward import walk_forward_section
from gogooku3.panel.panel import read_targets
from gogooku3.quotes import folder as quotes
from gogooku3.recovery.checks.environment import differences
from gogooku3.recovery.releases import headline
from gogooku3.recovery.reproduction.first_difference import first_difference
from gogooku3.recovery.sandbox.workspace import temporary_folder

TOLERANCE = 1e-9
"""Relative tolerance outside the package's exact domain. A metric is a sum of at most some millions of float64 values,
whose order may differ there: an error of about 1e-13. A number that was edited differs by more than 1e-9."""

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_AGAIN = "`dvc repro --force evaluate` computes it again; commit the result"


def require_recomputed(root: Path) -> str:
    """Refuses a working tree with a metric that its scores do not give; returns how exactly they were compared.

    Within the package's exact domain every byte must be equal; elsewhere numbers may differ by `TOLERANCE`.

    Raises:
        RefusedError: a file has another value than its inputs give.
        DataError: scores, targets or quotes are missing or damaged, or the targets are not the returns of the bars.
    """
    params = config.load(root / paths.PARAMS)
    with temporary_folder("gogooku3-metrics-") as temporary:
        folder = temporary / "again"
        measure_again(root, folder, params.evaluation)
        names = sorted(path.relative_to(folder) for path in folder.rglob("*.*") if path.is_file())
        differing = [name for name in names if _bytes(root / name) != _bytes(folder / name)]
        outside = _outside(root / paths.PACKAGE) if differing else []
        for name in differing:
            if not (outside and (root / name).is_file() and is_close(root / name, folder / name)):
                raise _contradiction(root, folder, name, outside)
    _require_walk_forward(root, params)
    _require_card(root, params)
    scores = f"{len(names)} files recomputed from `{paths.PREDICTIONS}`"
    if differing:
        return f"{scores}: equal to within {TOLERANCE:g} of each value, because {', '.join(outside)} differ here"
    return f"{scores}: identical"


def _outside(package: Path) -> list[str]:
    """The entries of the package's environment that this machine does not have; none within its exact domain."""
    return [entry.entry for entry in differences(package) if entry.standing != "exact"]


def measure_again(root: Path, folder: Path, params: Measures) -> None:
    """Writes what stage `evaluate` writes, from the stored scores instead of the model, into another folder."""
    for path in (paths.PREDICTIONS, paths.BASELINES):
        if not (root / path).is_file():
            raise DataError(
                f"`{path}` does not exist: the metrics cannot be computed again from it",
                hint="fetch it with `dvc pull`, or write it with `dvc repro`",
            )
    targets = read_targets(root / paths.DATASET)
    scores = from_frame(targets, pl.read_parquet(root / paths.PREDICTIONS)).rows(splits.span(targets))
    baselines = read_scores(targets, root / paths.BASELINES)
    bars = quotes.read(root / paths.QUOTES)
    splits.write(splits.measure(targets, scores, baselines, bars, params), folder)


def is_close(recorded: Path, here: Path) -> bool:
    """Whether two texts differ only in numbers, and each by at most `TOLERANCE` of its value."""
    old, new = (path.read_text(encoding="utf-8", errors="surrogateescape") for path in (recorded, here))
    if _NUMBER.split(old) != _NUMBER.split(new):
        return False
    pairs = zip(_NUMBER.findall(old), _NUMBER.findall(new), strict=True)
    return all(math.isclose(float(mine), float(other), rel_tol=TOLERANCE, abs_tol=1e-15) for mine, other in pairs)


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _contradiction(root: Path, folder: Path, name: Path, outside: list[str]) -> RefusedError:
    if not (root / name).is_file():
        return RefusedError(f"`{name}` does not exist", hint=_AGAIN)
    difference = first_difference(root / name, folder / name, str(name))
    allowed = f" (more than {TOLERANCE:g} of the value, allowed because {', '.join(outside)} differ)" if outside else ""
    return RefusedError(
        f"`{name}` is not what `{paths.PREDICTIONS}` and the targets give: {difference}{allowed}", hint=_AGAIN
    )


def _require_walk_forward(root: Path, params: Params) -> None:
    """Compares the headline metrics of a walk-forward with its sessions; its folds are not scored again."""
    if params.evaluation.scheme != "split":
        contradiction = headline.of_files(root, "walk_forward")
        if contradiction:
            raise RefusedError(contradiction, hint="`dvc repro --force join` computes it again; commit the result")


def _require_card(root: Path, params: Params) -> None:
    """Refuses a model card with other results than the package's `metrics.json`, which `verify` compares."""
    content = headline.read_json(root / paths.PACKAGE / "metrics.json")
    results = {name: table_of(of_file) for name, of_file in content.items()}
    expected = results_section(asdict(params.evaluation.portfolio), results) + walk_forward_section(results)
    card = root / paths.PACKAGE / "README.md"
    if expected not in card.read_text(encoding="utf-8"):
        lines = set(card.read_text(encoding="utf-8").splitlines())
        line = next((line for line in expected.splitlines() if line not in lines), "in another order")
        raise RefusedError(
            f"`{paths.PACKAGE / 'README.md'}` has other results than the package's `metrics.json`, which gives: {line}",
            hint="`dvc repro --force package` writes it again",
        )
