"""Metrics that an older version did not have are shown as `–`, and no command fails.

`metrics/` next to this file has each format of the files before version 0.1.0. In addition, a table may
lack any one metric of today's.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gogooku3 import paths
from gogooku3.cli import main
from gogooku3.config import Params
from gogooku3.metrics.split_file import table_of
from gogooku3.package.manifest import write_manifest
from gogooku3.package.results import _PLAIN
from gogooku3.recovery.releases import git, metrics
from gogooku3.recovery.releases.estimates import Estimate
from gogooku3.recovery.releases.record import SPLITS, compared, measured, message, parse
from gogooku3.recovery.releases.results import mean_rank_ic, track_record
from gogooku3.recovery.trials import count
from gogooku3.recovery.verify import verify
from gogooku3.report import compare_page
from gogooku3.report.model_pair import Side, compare
from gogooku3.runtime.files import write_json

from .conftest import HERE, ROOT, TAG, VERSIONS, begin, commit, release

SHAPES = sorted((HERE / "metrics").iterdir())
PRESENT = ROOT / "metrics"

Keys = tuple[str, ...]
Rows = dict[str, tuple[str, str]]


def read(path: Path) -> dict[str, Any]:
    return table_of(json.loads(path.read_text(encoding="utf-8")))


def keys(table: dict[str, Any], above: Keys = ()) -> Iterator[Keys]:
    """The keys of all values in a table, nested ones too."""
    for name, value in table.items():
        yield (*above, name)
        if isinstance(value, dict):
            yield from keys(value, (*above, name))


def without(table: dict[str, Any], place: Keys) -> dict[str, Any]:
    name, *rest = place
    if not rest:
        return {each: value for each, value in table.items() if each != name}
    return table | {name: without(table[name], tuple(rest))}


def rows(page: str, split: str) -> Rows:
    """Both values of each metric, by title, in the page's table of a split."""
    table = page.split('<section id="metrics">')[1].split(f"<h3>{split}</h3>")[1].split("</table>")[0]
    found = re.findall(r'<th scope="row" class="plain">(.*?)</th><td.*?>(.*?)</td><td.*?>(.*?)</td>', table)
    return {title: (plain(old), plain(new)) for title, old, new in found}


def plain(cell: str) -> str:
    return re.sub(r"<.*?>", "", cell)


def run(*arguments: str) -> str:
    """The output of a successful command."""
    done = CliRunner().invoke(main, arguments)
    assert (done.exit_code, done.exception) == (0, None), done.output
    return done.stdout


# A complete release with metrics in an older format, compared with today's.


@pytest.fixture(scope="module", params=SHAPES, ids=lambda folder: folder.name)
def shape(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


@pytest.fixture(scope="module")
def released(shape: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose release has metrics in the older format, and whose working tree has today's."""
    root = tmp_path_factory.mktemp("older")
    begin(root)
    made = commit(root, shape)
    record = parse((HERE / VERSIONS[0] / "tag.txt").read_text(encoding="utf-8"))
    assert record is not None
    own = {split: measured(root, made, split) for split in SPLITS}
    release(root, made, message(replace(record, **own)))
    commit(root, PRESENT)
    return root


@pytest.fixture
def repository(released: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, as the current folder."""
    monkeypatch.chdir(released)
    monkeypatch.setenv("COLUMNS", "200")
    return released


@pytest.mark.parametrize(("sides", "place"), [((TAG, "HEAD"), 0), ((TAG, "workspace"), 0), (("HEAD", TAG), 1)])
def test_it_stands_beside_a_later_model_on_a_page(
    repository: Path, shape: Path, tmp_path: Path, sides: tuple[str, str], place: int
) -> None:
    target = tmp_path / "page.html"
    printed = run("report", *sides, "--output", str(target))
    page = target.read_text(encoding="utf-8")
    for split in SPLITS:
        assert f"{split}: {sides[0]} and {sides[1]} cannot be compared session by session" in printed
        old, new = read(shape / f"{split}.json"), read(PRESENT / f"{split}.json")
        found = {title: (both[place], both[1 - place]) for title, both in rows(page, split).items()}
        assert found["capacity"] == ("–", f"{new['capacity']:,.0f}")
        assert found["stocks: all, joined, left"][0] == found["RankIC, mean over horizons"][0] == "–"
        assert [cell.split(" [")[0] for cell in found["Sharpe"]] == [f"{t['sharpe']['value']:.3f}" for t in (old, new)]
        ranks = found["RankIC, 5 session(s)"]
        assert [cell.split(" [")[0] for cell in ranks] == [f"{t['rank_ic']['5']['value']:.3f}" for t in (old, new)]
    assert f"{TAG} has no results by session for validation and test" in page
    assert "–: not available for that revision" in page
    assert "Returns after costs" not in page


def test_two_of_them_stand_on_a_page(repository: Path, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    run("report", TAG, TAG, "--output", str(target))
    assert rows(target.read_text(encoding="utf-8"), "test")["capacity"] == ("–", "–")


def test_what_it_did_not_measure_is_a_dash_among_the_differences(repository: Path) -> None:
    printed = run("diff", TAG, "HEAD")
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in printed.splitlines() if "│" in line]
    values = {row[0]: row[1:] for row in cells}
    capacity = read(PRESENT / "test.json")["capacity"]
    assert values["test.capacity"] == ["–", f"{capacity:.4f}", ""]
    found = {change["name"]: change for change in json.loads(run("diff", TAG, "HEAD", "--json"))["metrics"]}
    assert found["test.capacity"] == {
        "name": "test.capacity", "old": None, "new": capacity, "difference": None,
    }  # fmt: skip


def test_it_has_its_rows_on_the_leaderboard_and_among_the_tiers(repository: Path) -> None:
    run("leaderboard")
    board = (repository / "docs/leaderboard.md").read_text(encoding="utf-8")
    (row,) = (line for line in board.splitlines() if f"`{TAG}`" in line)
    record = parse((HERE / VERSIONS[0] / "tag.txt").read_text(encoding="utf-8"))
    own = {split: measured(repository, TAG, split) for split in SPLITS}
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert record is not None
    assert cells[2:8] == [
        "mean RankIC",
        "–", str(own["validation"].sharpe), f"{record.deflated_sharpe:.4f} of {record.trials}",
        "–", str(own["test"].sharpe),
    ]  # fmt: skip
    printed = run("tiers")
    assert all(str(own[split].sharpe) in printed for split in SPLITS)


def test_it_counts_as_a_trial_and_its_record_of_returns_is_unknown(repository: Path) -> None:
    assert count(repository, "demo", TAG).count == 2
    assert track_record(repository, TAG, "validation") is None
    assert mean_rank_ic(repository, TAG, "validation") is None


def test_a_package_that_holds_them_verifies(shape: Path, tmp_path: Path) -> None:
    shutil.copytree(HERE / VERSIONS[0] / "package", tmp_path / "package")
    write_json({split: read(shape / f"{split}.json") for split in SPLITS}, tmp_path / "package/metrics.json")
    (tmp_path / "package/README.md").write_text("A card without results for model hubs.\n")
    write_manifest(tmp_path / "package")
    assert verify(tmp_path / "package", dataset=None, lock=None).good


# Metrics with any single metric of today's missing.

TABLE = read(PRESENT / "test.json")
TITLES = {
    **{f"rank_ic.{horizon}": f"RankIC, {horizon} session(s)" for horizon in TABLE["rank_ic"]},
    **{f"ic.{horizon}": f"IC, {horizon} session(s)" for horizon in TABLE["ic"]},
    "sharpe": "Sharpe",
    "mean_rank_ic": "RankIC, mean over horizons",
    **{".".join(path): title for title, path, _ in _PLAIN},
    "universe": "stocks: all, joined, left",
}
"""The row of each metric that the page shows."""


def side(name: str, table: dict[str, Any]) -> Side:
    """A side as read from a file, without sessions, whose curves are slow to draw."""
    return Side(name, None, dict.fromkeys(SPLITS, metrics.parse(json.dumps(table))), {})


def told(whole: str, key: str, place: Keys) -> str:
    """The expected row of a metric if a table lacks one value in it."""
    if f"{key}.".startswith(f"{'.'.join(place)}."):
        return "–"
    if key != ".".join(place[:-1]):
        return whole
    if key == "universe":
        return ", ".join("–" if name == place[-1] else str(n) for name, n in TABLE[key].items())
    value = whole.partition(" [")[0]
    return {"value": "–", "low": value, "high": value}.get(place[-1], whole)


@pytest.mark.parametrize("place", list(keys(TABLE)), ids=".".join)
def test_a_table_that_lacks_one_metric_has_a_dash_in_its_place_and_all_others(place: Keys, demo: Params) -> None:
    lacking, whole = side("older", without(TABLE, place)), side("later", TABLE)
    found = rows(compare_page.page(compare(lacking, whole, [], demo.evaluation.bootstrap)), "test")
    complete = {title: new for title, (_, new) in found.items()}
    assert "–" not in " ".join(complete.values())
    assert {title: old for title, (old, _) in found.items()} == {
        title: told(complete[title], key, place) for key, title in TITLES.items()
    }


@pytest.fixture(scope="module")
def thinned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a tag for each metric, at which both splits lack it; no sessions, whose curves are slow."""
    root = tmp_path_factory.mktemp("thinned")
    begin(root)
    tables = {split: read(PRESENT / f"{split}.json") for split in SPLITS}
    commit(root, PRESENT)
    git.run(root, "tag", "whole")
    shutil.rmtree(root / "metrics/sessions")
    for name in TABLE:
        for split, table in tables.items():
            (root / paths.metrics_of(split)).write_text(json.dumps(without(table, (name,))))
        git.run(root, "commit", "--quiet", "--all", "--message", name)
        git.run(root, "tag", f"without/{name}")
    return root


@pytest.mark.parametrize("name", TABLE)
def test_no_reader_of_a_revision_needs_a_metric(
    name: str, thinned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(thinned)
    monkeypatch.setenv("COLUMNS", "200")
    rev = f"without/{name}"
    for split in SPLITS:
        assert (mean_rank_ic(thinned, rev, split) is None) == (name == "mean_rank_ic")
        assert (track_record(thinned, rev, split) is None) == (name in ("sessions", "sharpe"))
    undefined = {"from": {"first": "–"}, "to": {"last": "–"}, "sharpe": {"sharpe": Estimate(None, None, None)}}
    absent = (undefined | {"rank_ic": {"rank_ic": {}}}).get(name, {})
    assert compared(thinned, rev) == replace(measured(thinned, "whole", "validation"), **absent)
    assert f"validation.{name}" in run("diff", rev, "whole")
    run("report", rev, "whole", "--output", str(tmp_path / "page.html"))
    assert rows((tmp_path / "page.html").read_text(encoding="utf-8"), "test").keys() == set(TITLES.values())
