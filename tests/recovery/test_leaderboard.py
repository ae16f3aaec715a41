"""The leaderboard matches the tags, row by row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gogooku3 import paths
from gogooku3.cli import main
from gogooku3.cli.leaderboard import leaderboard as command
from gogooku3.recovery.promote import promote
from gogooku3.recovery.releases import tags
from gogooku3.recovery.releases.record import parse
from gogooku3.recovery.releases.results import mean_rank_ic
from gogooku3.recovery.releases.tag_objects import create_tags, new_object


@pytest.fixture(scope="module")
def source(trained: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Two versions of tier1, the second one better, and one of tier2 that GTO registered."""
    lab = trained.copy(tmp_path_factory.mktemp("released"))
    promote(lab.folder, "tier1")
    lab.train(2, 0.07)
    promote(lab.folder, "tier1")
    lab.run("gto", "register", "tier2", "--version", "v0.1.0")
    return lab


@pytest.fixture
def released(source: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A copy of the source; the test runs in a subfolder."""
    lab = source.copy(tmp_path)
    monkeypatch.chdir(lab.folder / "src")
    return lab


def rows(lab: Any) -> list[list[str]]:
    table = [line for line in (lab.folder / paths.LEADERBOARD).read_text().splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


def test_each_release_has_its_row_the_best_of_its_tier_first(released: Any) -> None:
    printed = CliRunner().invoke(command)
    assert (printed.exit_code, printed.stdout) == (0, "docs/leaderboard.md\n")
    found = rows(released)
    assert [row[0] for row in found] == ["`tier1@v1.1.0`", "`tier1@v1.0.0`", "`tier2@v0.1.0`"]
    assert [row[1] for row in found] == ["**best**", "", ""]
    registry = tags.read(released.folder)
    for row, name in zip(found[:2], ("tier1@v1.1.0", "tier1@v1.0.0"), strict=True):
        release = registry.find(name)
        record = parse(release.tag.message)
        assert record is not None
        deflated = f"{record.deflated_sharpe:.4f} of {record.trials}"
        # The mean over the horizons in the metrics at the tag's commit.
        means = [str(mean_rank_ic(released.folder, release.commit, split)) for split in ("validation", "test")]
        expected = [means[0], str(record.validation.sharpe), deflated, means[1], str(record.test.sharpe)]
        assert row[3:9] == [*expected, record.validation.basis]
        assert release.commit.startswith(row[9].strip("`"))
        assert record.model_sha256.startswith(row[10].strip("`"))
        assert min(len(row[9]), len(row[10])) == 14
        assert row[12] == "synthetic"
    assert found[2][2:9] == ["not recorded"] * 7


def test_a_stale_page_is_found(released: Any) -> None:
    assert CliRunner().invoke(command, ["--check"]).exit_code == 1
    CliRunner().invoke(command)
    assert CliRunner().invoke(command, ["--check"]).exit_code == 0
    released.run("gto", "deprecate", "tier1", "v1.1.0", "best")
    behind = CliRunner().invoke(command, ["--check"])
    assert (behind.exit_code, "`gogooku3 leaderboard` updates it" in behind.stderr) == (1, True)
    CliRunner().invoke(command)
    assert [row[1] for row in rows(released)] == ["", "**best**", ""]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ('{"sessions": 100}', "the tag, `metrics/validation.json` and its sessions differ"),
        ("{", "`metrics/validation.json` is damaged"),
    ],
)
def test_a_version_with_other_or_damaged_metrics_is_a_row_beside_the_others(
    released: Any, text: str, cell: str
) -> None:
    message = tags.read(released.folder).find("tier1@v1.1.0").tag.message
    assert CliRunner().invoke(main, ["leaderboard"]).exit_code == 0
    before = rows(released)
    (released.folder / "metrics/validation.json").write_text(text)
    (released.folder / "params.yaml").write_text("- 1")
    commit = released.commit("Other metrics")
    create_tags(released.folder, {"tier1@v1.2.0": new_object(released.folder, "tier1@v1.2.0", commit, message)})
    assert CliRunner().invoke(main, ["leaderboard"]).exit_code == 0
    after = {row[0]: row for row in rows(released)}
    assert (after["`tier1@v1.2.0`"][3], after["`tier1@v1.2.0`"][6]) == (cell, before[0][6])
    assert after["`tier1@v1.2.0`"][12] == "`params.yaml` is damaged"
    assert len(after) == len(before) + 1
    assert [after[row[0]] for row in before] == before


@pytest.mark.slow
def test_a_tag_object_under_another_name_has_no_row(released: Any) -> None:
    assert CliRunner().invoke(main, ["leaderboard"]).exit_code == 0
    before = rows(released)
    released.run("git", "update-ref", "refs/tags/tier1@v9.0.0", "refs/tags/tier1@v1.1.0")
    assert CliRunner().invoke(main, ["leaderboard"]).exit_code == 0
    assert rows(released) == before


def test_without_a_release_the_page_says_so(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(lab.folder)
    assert CliRunner().invoke(command).exit_code == 0
    assert "No tier was released yet" in (lab.folder / paths.LEADERBOARD).read_text()
    assert rows(lab) == []
