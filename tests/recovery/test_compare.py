"""Comparison of two revisions, each read from its own files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner

from gogooku3.cli.report import report as command
from gogooku3.errors import DataError, GitError
from gogooku3.metrics.split_file import table_of
from gogooku3.recovery.compare import compare

from ..pages.elements import Elements, check_that_it_needs_nothing_but_itself


@pytest.fixture(scope="module")
def source(trained: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Two commits, tagged `before` and `after`: another batch size, and a RankIC that is higher by 0.03."""
    lab = trained.copy(tmp_path_factory.mktemp("compared"))
    lab.run("git", "tag", "before")
    params = lab.folder / "params.yaml"
    params.write_text(params.read_text().replace("batch_size: 1440", "batch_size: 256"))
    lab.make(lab.folder / "made", 2, 0.08, test=0.06)
    lab.reproduce()
    lab.run("git", "tag", "after")
    return lab


@pytest.fixture
def compared(source: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A copy of `source`, to be changed; the current folder."""
    lab = source.copy(tmp_path)
    monkeypatch.chdir(lab.folder)
    return lab


def test_the_page_says_which_is_better_and_why_they_differ(compared: Any) -> None:
    printed = CliRunner().invoke(command, ["before", "after"])
    assert printed.exit_code == 0
    assert "validation: after beats before by mean RankIC" in printed.stdout
    page = (compared.folder / "logs/compare.html").read_text()
    check_that_it_needs_nothing_but_itself(page)
    text = Elements(page).text
    assert page.index("<h1>after beats before by mean RankIC") < page.index("train.recipe.batch_size")
    assert page.index("train.recipe.batch_size") < page.index("Returns after costs")
    assert all(said in text for said in ("1440", "256"))
    gain = compare(compared.folder, "before", "after").differences["test"]["mean_rank_ic"]
    assert 0.02 < gain["low"] < gain["value"] < gain["high"] < 0.04
    assert f"{gain['value']:.3f} [{gain['low']:.3f}, {gain['high']:.3f}]" in text


def test_the_same_two_give_the_same_bytes(compared: Any, tmp_path: Path) -> None:
    pages = [tmp_path / "one.html", tmp_path / "two.html"]
    for page in pages:
        assert CliRunner().invoke(command, ["before", "after", "--output", str(page)]).exit_code == 0
    assert pages[0].read_bytes() == pages[1].read_bytes()


def test_the_working_tree_compares_as_the_commit_that_it_equals(compared: Any) -> None:
    assert compare(compared.folder, "before").differences == compare(compared.folder, "before", "after").differences


def test_a_model_compared_with_itself_shows_no_difference(compared: Any) -> None:
    printed = CliRunner().invoke(command, ["after", "HEAD"])
    assert printed.exit_code == 0
    assert "test: No significant difference between after and HEAD" in printed.stdout


def test_too_few_sessions_in_common_are_refused_and_nothing_is_written(compared: Any, tmp_path: Path) -> None:
    track = compared.folder / "metrics/sessions/test.csv"
    for path in (track, compared.folder / "metrics/test.json"):
        path.write_text(path.read_text().replace("2024-", "2028-"))
    with pytest.raises(DataError, match="the models have 0 common sessions in the test split, 20 are needed"):
        compare(compared.folder, "before")
    done = compared.run("gogooku3", "report", "before", "--output", str(tmp_path / "page.html"), check=False)
    assert done.returncode == 3
    assert "hint: compare models with the same `dataset.split`" in done.stderr
    assert not (tmp_path / "page.html").exists()


def test_a_revision_without_metrics_is_refused_by_name(compared: Any) -> None:
    (compared.folder / "metrics/sessions/validation.csv").unlink()
    with pytest.raises(DataError, match=r"`metrics/sessions/validation\.csv` is not in `workspace`"):
        compare(compared.folder, "before")
    (compared.folder / "metrics/validation.json").write_text("{")
    with pytest.raises(DataError, match=r"`metrics/validation\.json` of `workspace` is not JSON"):
        compare(compared.folder, "before")
    with pytest.raises(GitError, match="`tier7` is not a commit here"):
        compare(compared.folder, "tier7")


def edit(compared: Any, edit: Callable[[Path], object], name: str) -> None:
    """Commits and tags edited metrics; those of `after` remain in the working tree."""
    edit(compared.folder / "metrics")
    compared.commit("Other metrics")
    compared.run("git", "tag", name)
    compared.run("git", "checkout", "--quiet", "after")


def without_capacity(metrics: Path) -> None:
    content = json.loads((metrics / "test.json").read_text())
    del table_of(content)["capacity"]
    (metrics / "test.json").write_text(json.dumps(content))


def without_columns(pattern: str) -> Callable[[Path], None]:
    def drop(metrics: Path) -> None:
        for path in (metrics / "sessions").iterdir():
            frame = pl.read_csv(path)
            frame.drop([name for name in frame.columns if re.fullmatch(pattern, name)]).write_csv(path)

    return drop


def test_a_metric_that_one_lacks_is_a_dash_and_the_others_have_a_difference(compared: Any) -> None:
    edit(compared, without_capacity, "older")
    printed = CliRunner().invoke(command, ["older"])
    assert (printed.exit_code, printed.exception) == (0, None)
    page = (compared.folder / "logs/compare.html").read_text()
    row = re.search(r">capacity</th>(.*?)</tr>", page.split("<h3>test</h3>")[1])
    assert row is not None
    capacity = table_of(json.loads((compared.folder / "metrics/test.json").read_text()))["capacity"]
    assert re.findall(r"–|[\d,]+", row[1]) == ["–", f"{capacity:,.0f}"]
    assert compare(compared.folder, "older").differences == compare(compared.folder, "after").differences
    assert "Returns after costs" in page


def test_a_version_that_wrote_no_sessions_is_compared_by_its_metrics_alone(compared: Any) -> None:
    edit(compared, lambda metrics: (metrics / "sessions/test.csv").unlink(), "older")
    printed = CliRunner().invoke(command, ["older"])
    assert printed.stdout.splitlines()[:2] == [
        "validation: No significant difference between older and workspace",
        "test: older and workspace cannot be compared session by session",
    ]
    page = (compared.folder / "logs/compare.html").read_text()
    text = Elements(page).text
    assert "older has no results by session for test, which early versions did not write" in text
    assert "Returns after costs" not in text
    difference = page.split('<section id="difference">')[1].split("</table>")[0]
    rows = [re.sub(r"<.*?>", " ", row).split() for row in difference.split("<tr>")[2:]]
    assert [row[0] for row in rows] == ["Sharpe", "mean", "RankIC", "RankIC"]
    assert all(row[-1] == "–" and row[-2].endswith("]") for row in rows)


@pytest.mark.parametrize(
    ("columns", "split", "says"),
    [
        ("net", "cannot be compared session by session", "older has no results by session for validation and test"),
        ("rank_ic_.*", "No significant difference between", "older has no RankIC by session for validation and test"),
        ("rank_ic_5", "No significant difference between", "Their horizons differ"),
    ],
)
def test_a_column_that_one_lacks_is_left_out(compared: Any, columns: str, split: str, says: str) -> None:
    edit(compared, without_columns(columns), "older")
    printed = CliRunner().invoke(command, ["older"])
    assert (printed.exit_code, printed.exception) == (0, None)
    assert split in printed.stdout
    assert says in Elements((compared.folder / "logs/compare.html").read_text()).text
    gains = compare(compared.folder, "older").differences.get("test", {})
    assert ("sharpe" in gains, "mean_rank_ic" in gains) == (columns != "net", False)


@pytest.mark.parametrize("content", ["", "net\n0.1\n", "Date,net\n2024-01-01,high\n", "<<<<<<< HEAD\nDate,net\n"])
@pytest.mark.parametrize("committed", [True, False])
def test_sessions_that_are_damaged_are_refused_by_name(compared: Any, content: str, committed: bool) -> None:
    sides = ("older", "after") if committed else ("after", "workspace")
    if committed:
        edit(compared, lambda metrics: (metrics / "sessions/test.csv").write_text(content), "older")
    else:
        (compared.folder / "metrics/sessions/test.csv").write_text(content)
    name = "older" if committed else "workspace"
    with pytest.raises(DataError, match=rf"`metrics/sessions/test\.csv` of `{name}` is not a table of sessions: "):
        compare(compared.folder, *sides)


def test_other_data_and_another_portfolio_are_cautioned_against(compared: Any) -> None:
    params = compared.folder / "params.yaml"
    text = params.read_text().replace("stocks: 120\n  start", "stocks: 100\n  start")
    params.write_text(text.replace("cost_bps: 5.0", "cost_bps: 1.0"))
    printed = CliRunner().invoke(command, ["before"])
    assert printed.exit_code == 0
    text = Elements((compared.folder / "logs/compare.html").read_text()).text
    assert "Quotes or dataset differ" in text
    assert "The portfolio parameters differ" in text
