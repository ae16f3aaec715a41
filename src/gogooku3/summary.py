"""What the last run gave, in a few lines: the verdict of `reports/tier.html`, and where its page and package are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from gogooku3 import config, paths
from gogooku3.errors import DataError, MismatchError, abbreviate
from gogooku3.report.results import read_results
from gogooku3.report.verdict import judge
from gogooku3.runtime.files import md5_file

_STAGE = "report"
"""The stage that draws the page: the verdict is made of what it depends on."""


@dataclass(frozen=True)
class Summary:
    """A run in short."""

    tier: str
    verdict: str
    """In one line."""
    figures: str
    """The numbers behind the verdict, with their intervals."""
    test_from: str
    """First session of the test split."""
    page: str
    """Relative to the working tree, as the package is."""
    package: str


def summarize(root: Path) -> Summary:
    """Reads what the last run left in a working tree.

    Raises:
        ConfigError: `params.yaml` is absent or wrong.
        DataError: there was no run, or an output of it is absent or damaged.
        MismatchError: parameters or results are not those that `dvc.lock` records of the last run.
    """
    params = config.load(root / paths.PARAMS)
    _require_recorded(root)
    results = read_results(root, params)
    verdict = judge(results)
    return Summary(
        tier=params.tier,
        verdict=verdict.headline,
        figures=verdict.summary.striptags(),
        test_from=results.test["from"],
        page=str(paths.TIER_PAGE),
        package=str(paths.PACKAGE),
    )


def _require_recorded(root: Path) -> None:
    """Refuses a mixture of two runs, as `git checkout` without `dvc checkout` and an edit of parameters leave one."""
    run = _recorded(root / paths.LOCK)
    if run["params"][str(paths.PARAMS)] != OmegaConf.to_container(OmegaConf.load(root / paths.PARAMS)):
        raise MismatchError(
            f"`{paths.PARAMS}` is not the one of the last run: `{paths.LOCK}` records other parameters",
            hint="`dvc repro` runs the pipeline with the present ones",
        )
    files = {dep["path"]: dep["md5"] for dep in run["deps"] if not dep["path"].startswith(f"{paths.SOURCE}/")}
    changed = [name for name, md5 in files.items() if (root / name).is_file() and md5_file(root / name) != md5]
    if changed:
        raise MismatchError(
            f"{abbreviate(changed, limit=3)}: not what `{paths.LOCK}` records of the last run",
            hint="`dvc checkout` brings back what DVC holds, `git restore` the rest; `dvc repro` makes them again",
        )


def _recorded(lock: Path) -> dict[str, Any]:
    """What DVC recorded of the last run of the stage that draws the page."""
    none = DataError(f"`{lock.name}` records no run of `{_STAGE}`", hint="`dvc repro` runs the pipeline")
    if not lock.is_file():
        raise none
    try:
        run: dict[str, Any] | None = yaml.safe_load(lock.read_bytes())["stages"].get(_STAGE)
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise DataError(
            f"`{lock.name}` is not a lock file of DVC: {error}", hint="restore it with `git checkout dvc.lock`"
        ) from None
    if run is None:
        raise none
    return run
