"""Summary of the last run: the verdict of `reports/tier.html`, and the paths of page and package."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, ListConfig, OmegaConf

from gogooku3 import config, paths
from gogooku3.errors import DataError, MismatchError, abbreviate
from gogooku3.recovery.untrusted import load_yaml
from gogooku3.report.results import read_results
from gogooku3.report.verdict import judge
from gogooku3.runtime.files import md5_file

_STAGE = "report"
"""The stage that renders the page; the verdict is computed from its dependencies."""


@dataclass(frozen=True)
class Summary:
    """Summary of a run."""

    tier: str
    verdict: str
    """One line."""
    figures: str
    """The numbers behind the verdict, with their intervals."""
    test_from: str
    """First session of the test split."""
    page: str
    """Path relative to the working tree, like `package`."""
    package: str


def summarize(root: Path) -> Summary:
    """Reads the results of the last run in a working tree.

    Raises:
        ConfigError: `params.yaml` is missing or wrong.
        DataError: there was no run, or an output of it is missing or damaged.
        MismatchError: parameters or results differ from `dvc.lock`.
    """
    params = config.load(root / paths.PARAMS)
    _require_recorded(root)
    results = read_results(root, params)
    verdict = judge(results)
    return Summary(
        tier=params.tier.name,
        verdict=verdict.headline,
        figures=verdict.summary.striptags(),
        test_from=results.test["from"],
        page=str(paths.TIER_PAGE),
        package=str(paths.PACKAGE),
    )


def _require_recorded(root: Path) -> None:
    """Refuses a mixture of two runs, for example after `git checkout` without `dvc checkout`, or edited parameters."""
    run = _recorded(root / paths.LOCK)
    params = OmegaConf.load(root / paths.PARAMS)
    edited = [key for key, value in run["params"][str(paths.PARAMS)].items() if _value(params, key) != value]
    if edited:
        raise MismatchError(
            f"`{paths.PARAMS}` differs from the last run: `{paths.LOCK}` has other values of"
            f" {abbreviate(f'`{key}`' for key in edited)}",
            hint="`dvc repro` runs the pipeline with the current ones",
        )
    files = {dep["path"]: dep["md5"] for dep in run["deps"] if not dep["path"].startswith(f"{paths.SOURCE}/")}
    changed = [name for name, md5 in files.items() if (root / name).is_file() and md5_file(root / name) != md5]
    if changed:
        raise MismatchError(
            f"{abbreviate(changed, limit=3)}: differs from the last run in `{paths.LOCK}`",
            hint="`dvc checkout` restores DVC's files, `git restore` the others; `dvc repro` recomputes them",
        )


def _value(params: DictConfig | ListConfig, key: str) -> Any:
    """The value of a dotted key as plain containers; None if it is missing."""
    value = OmegaConf.select(params, key)
    return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value


def _recorded(lock: Path) -> dict[str, Any]:
    """DVC's record of the last run of the stage `report`."""
    no_run = DataError(f"`{lock.name}` has no run of `{_STAGE}`", hint="`dvc repro` runs the pipeline")
    if not lock.is_file():
        raise no_run
    try:
        run: dict[str, Any] | None = load_yaml(lock.read_bytes())["stages"].get(_STAGE)
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise DataError(
            f"`{lock.name}` is not a DVC lock file: {error}", hint="restore it with `git checkout dvc.lock`"
        ) from None
    if run is None:
        raise no_run
    return run
