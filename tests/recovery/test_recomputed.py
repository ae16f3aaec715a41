"""Every number of a release is what its scores give, however it was edited."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gogooku3.errors import DataError, RefusedError
from gogooku3.metrics.split_file import table_of
from gogooku3.recovery.recomputed import is_close, require_recomputed
from gogooku3.runtime.files import write_parquet

from .lab import Lab


@pytest.fixture(scope="module")
def source(trained: Lab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return trained.copy(tmp_path_factory.mktemp("recomputed"))


@pytest.fixture
def root(source: Lab, tmp_path: Path) -> Path:
    """The files of a working tree, to be edited; links to the cache are copied."""
    for name in ("data", "models", "metrics", "plots", "params.yaml"):
        path = source.folder / name
        (shutil.copytree if path.is_dir() else shutil.copyfile)(path, tmp_path / name)
    for path in tmp_path.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    changed = re.sub(old, new, text, count=1)
    assert changed != text
    path.write_text(changed)


def test_what_evaluate_wrote_is_found_identical(root: Path) -> None:
    assert require_recomputed(root) == "11 files recomputed from `data/predictions.parquet`: identical"


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        (
            "metrics/validation.json",
            r'"sharpe": {\n +"value": [-.\d]+',
            '"sharpe": {"value": 9.5',
            r"key evaluation\[0\]\.sharpe\.value: 9\.5",
        ),
        ("metrics/baselines.json", '"value": -', '"value": ', r"key validation\.ridge\.sharpe\.value"),
        ("metrics/sessions/validation.csv", "2024-01-20,", "2024-01-20,9", "row 10, column gross: 9"),
        ("plots/rank_ic.csv", "2024-02-22,1,", "2024-02-22,1,9", "row 3, column rank_ic: 9"),
    ],
)
def test_an_edited_number_is_named_with_both_values(root: Path, name: str, old: str, new: str, says: str) -> None:
    edit(root / name, old, new)
    with pytest.raises(RefusedError, match=rf"`{name}` is not what .* give: {says}.* recorded, .* here") as refused:
        require_recomputed(root)
    assert "dvc repro --force evaluate" in refused.value.hint


def scores_of_the_future(root: Path) -> None:
    """The scores of validation are its targets."""
    path = root / "data/predictions.parquet"
    targets = pl.read_parquet(root / "data/dataset/targets/2024-01.parquet")
    joined = pl.read_parquet(path).join(targets, on=["Date", "Code"], how="left", maintain_order="left")
    known = pl.col("target_5").is_not_nan()
    score = pl.when(known).then(pl.col("target_5")).otherwise(pl.col("score_5")).alias("score_5")
    write_parquet(joined.with_columns(score).select("Date", "Code", "score_1", "score_5"), path)


def metrics_file_lost(root: Path) -> None:
    (root / "metrics/sessions/test.csv").unlink()


def card(root: Path) -> None:
    edit(root / "models/package/README.md", r"\| Sharpe \| [-.\d]+", "| Sharpe | 9.5")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (scores_of_the_future, "`metrics/baselines.json` is not what"),
        (metrics_file_lost, "`metrics/sessions/test.csv` does not exist"),
        (card, r"README.md` has other results than the package's `metrics.json`, which gives: \| Sharpe \| -"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_other_contradictions_are_refused(root: Path, spoil: Callable[[Path], None], says: str) -> None:
    spoil(root)
    with pytest.raises(RefusedError, match=says):
        require_recomputed(root)


@pytest.mark.parametrize("name", ["predictions", "baselines"])
def test_lost_scores_are_named(root: Path, name: str) -> None:
    (root / f"data/{name}.parquet").unlink()
    with pytest.raises(DataError, match=rf"`data/{name}\.parquet` does not exist") as refused:
        require_recomputed(root)
    assert "dvc pull" in refused.value.hint


def nudge(root: Path, by: float) -> None:
    path = root / "metrics/validation.json"
    content: dict[str, Any] = json.loads(path.read_text())
    table_of(content)["annual_return"] *= 1 + by
    path.write_text(json.dumps(content, indent=2) + "\n")


def test_outside_the_exact_domain_rounding_is_allowed_and_named(root: Path) -> None:
    nudge(root, 1e-12)
    with pytest.raises(RefusedError, match=r"key evaluation\[0\]\.annual_return: "):
        require_recomputed(root)
    edit(root / "models/package/environment.json", r'"exact_on": ".*"', '"exact_on": "another processor"')
    assert require_recomputed(root).endswith(": equal to within 1e-09 of each value, because exact_on differ here")
    nudge(root, 1e-6)
    with pytest.raises(RefusedError, match="more than 1e-09 of the value, allowed because exact_on differ"):
        require_recomputed(root)


@pytest.mark.parametrize(
    ("old", "new", "close"),
    [
        ('{"a": 1.0}', '{"a": 1.0000000000001}', True),
        ('{"a": 1.0}', '{"a": 1.00000001}', False),
        ('{"a": 1e-9}', '{"a": 1.1e-9}', False),
        ('{"a": 1.0}', '{"a": null}', False),
        ('{"a": 1.0}', '{"b": 1.0}', False),
        ("2024-01-04,NaN,-2", "2024-01-04,NaN,-2.0000000000001", True),
        ("2024-01-04,1", "2024-01-05,1", False),
        ("1,2", "1,2,3", False),
    ],
)
def test_texts_are_close_if_only_numbers_differ_by_rounding(tmp_path: Path, old: str, new: str, close: bool) -> None:
    for name, text in (("old", old), ("new", new)):
        (tmp_path / name).write_text(text)
    assert is_close(tmp_path / "old", tmp_path / "new") == close
