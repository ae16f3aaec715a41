"""The leaderboard matches the tags, row by row."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from gogooku3 import paths
from gogooku3.cli import main
from gogooku3.cli.leaderboard import leaderboard as command
from gogooku3.recovery.promote import promote
from gogooku3.recovery.releases import tags
from gogooku3.recovery.releases.git import create_tags, tag_object
from gogooku3.recovery.releases.record import parse


@pytest.fixture
def released(lab: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Two versions of tier1, the second one better, and one of tier2 that GTO registered."""
    promote(lab.folder, "tier1")
    lab.train(2, 0.07)
    promote(lab.folder, "tier1")
    lab.run("gto", "register", "tier2", "--version", "v0.1.0")
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
        means = "0.050 [-0.050, 0.150]"  # the mean over the horizons in the metrics at the tag's commit
        expected = [means, str(record.validation.sharpe), deflated, means, str(record.test.sharpe)]
        assert row[2:7] == expected
        assert release.commit.startswith(row[7].strip("`"))
        assert record.model_sha256.startswith(row[8].strip("`"))
        assert min(len(row[7]), len(row[8])) == 14
    assert found[2][2:7] == ["not recorded"] * 5


def test_a_stale_page_is_found(released: Any) -> None:
    assert CliRunner().invoke(command, ["--check"]).exit_code == 1
    CliRunner().invoke(command)
    assert CliRunner().invoke(command, ["--check"]).exit_code == 0
    released.run("gto", "deprecate", "tier1", "v1.1.0", "best")
    behind = CliRunner().invoke(command, ["--check"])
    assert (behind.exit_code, "`gogooku3 leaderboard` updates it" in behind.stderr) == (1, True)
    CliRunner().invoke(command)
    assert [row[1] for row in rows(released)] == ["", "**best**", ""]


def test_a_metric_that_the_version_lacks_is_a_dash_and_damaged_metrics_are_an_error(released: Any) -> None:
    message = tags.read(released.folder).find("tier1@v1.1.0").tag.message
    for name, text in (("tier1@v1.2.0", '{"sessions": 100}'), ("tier1@v1.3.0", "{")):
        (released.folder / "metrics/validation.json").write_text(text)
        commit = released.commit("Other metrics")
        create_tags(released.folder, {name: tag_object(released.folder, name, commit, message)})
        done = CliRunner().invoke(main, ["leaderboard"])
        if text == "{":
            assert done.exit_code == 3
            assert f"error: `metrics/validation.json` of `{commit}` is not JSON" in done.stderr
            assert "hint: find the change with `git log" in done.stderr
        else:
            (row,) = (row for row in rows(released) if row[0] == f"`{name}`")
            assert (row[2], row[5]) == ("–", "0.050 [-0.050, 0.150]")


def test_without_a_release_the_page_says_so(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(lab.folder)
    assert CliRunner().invoke(command).exit_code == 0
    assert "No tier was released yet" in (lab.folder / paths.LEADERBOARD).read_text()
    assert rows(lab) == []
