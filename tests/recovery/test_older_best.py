"""A best release with metrics of an older version is compared by the metrics that it has."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gogooku3.errors import RefusedError
from gogooku3.metrics.split_file import table_of
from gogooku3.recovery.leaderboard import leaderboard
from gogooku3.recovery.promote import promote
from gogooku3.recovery.releases import tags
from gogooku3.recovery.releases.record import comparison
from gogooku3.recovery.releases.tag_objects import create_tags, new_object, renamed

RELEASED = Path(__file__).parents[1] / "released"
TAG, STAGE_TAG = "tier1@v1.0.0", "tier1#best#1"


def keep_what_was_measured_before_baselines(table: dict[str, Any]) -> None:
    known = json.loads((RELEASED / "metrics/before-baselines/validation.json").read_text())
    for part, names in ((table, known.keys()), (table["sharpe"], known["sharpe"].keys())):
        for name in part.keys() - names:
            del part[name]


def without(name: str) -> Callable[[dict[str, Any]], None]:
    def edit(table: dict[str, Any]) -> None:
        del table[name]

    return edit


def release_as_older(
    lab: Any, edit: Callable[[dict[str, Any]], object] = lambda table: None, column: str | None = None
) -> None:
    """Releases a model, then moves the tags to a commit with edited metrics, without sessions or a column of them."""
    promote(lab.folder, "tier1")
    message = tags.read(lab.folder).find(TAG).tag.message
    for split in ("validation", "test"):
        path = lab.folder / f"metrics/{split}.json"
        table = table_of(json.loads(path.read_text()))
        edit(table)
        path.write_text(json.dumps(table))
    if column is None:
        shutil.rmtree(lab.folder / "metrics/sessions")
    else:
        track = lab.folder / "metrics/sessions/validation.csv"
        pl.read_csv(track).drop(column).write_csv(track)
    commit = lab.commit("As an older version wrote it")
    lab.run("git", "tag", "--delete", TAG, STAGE_TAG)
    content = new_object(lab.folder, TAG, commit, message)
    create_tags(lab.folder, {TAG: content, STAGE_TAG: renamed(content, STAGE_TAG)})


@pytest.mark.slow
@pytest.mark.parametrize(
    "edit",
    [keep_what_was_measured_before_baselines, pytest.param(without("sharpe"), marks=pytest.mark.slow)],
    ids=["before-baselines", "no Sharpe ratio"],
)
def test_it_is_compared_by_its_rank_ic_and_the_gain_has_no_interval(
    lab: Any, edit: Callable[[dict[str, Any]], None]
) -> None:
    release_as_older(lab, edit)
    lab.train(2, 0.06)
    made = promote(lab.folder, "tier1")
    assert made.tags == ("tier1@v1.1.0", "tier1#best#2")
    text = comparison(made.record)
    assert text.startswith(f"{TAG}, 0.0550 (")
    why = "the sessions are not recorded for both, or too few"
    assert text.endswith(f"gain 0.010, of which there is no interval: {why}")


@pytest.mark.slow
def test_without_its_first_session_nothing_says_which_is_better_and_a_reason_is_needed(lab: Any) -> None:
    release_as_older(lab, without("from"))
    lab.train(2, 0.06)
    with pytest.raises(RefusedError, match=r"validated over .* the best of `tier1`, `tier1@v1\.0\.0`, over") as refused:
        promote(lab.folder, "tier1")
    assert all(option in refused.value.hint for option in ("--replace-best", "--despite-worse"))
    made = promote(lab.folder, "tier1", despite_worse="the old one has no dates")
    assert (made.tags, made.record.replaces_best) == (("tier1@v1.1.0",), None)
    lab.train(3, 0.04)
    made = promote(lab.folder, "tier1", replace_best="the old one has no dates")
    assert made.tags == ("tier1@v1.2.0", "tier1#best#2")
    assert (made.record.despite_worse, made.record.replaces_best) == (None, "the old one has no dates")
    assert "NOT comparable" in comparison(made.record)
    assert "replaces the best: the old one has no dates" in tags.read(lab.folder).find("tier1@v1.2.0").tag.message
    assert f"NOT comparable with `{TAG}`" in leaderboard(lab.folder)


@pytest.mark.slow
def test_a_model_worse_than_an_older_best_is_refused(lab: Any) -> None:
    release_as_older(lab, keep_what_was_measured_before_baselines)
    lab.train(2, 0.04)
    with pytest.raises(RefusedError, match=r"gain -0\.010, of which there is no interval"):
        promote(lab.folder, "tier1")


@pytest.mark.slow
def test_without_a_rank_ic_it_cannot_be_compared_with(lab: Any) -> None:
    release_as_older(lab, without("rank_ic"))
    lab.train(2, 0.06)
    with pytest.raises(RefusedError, match=r"RankIC of the best, `tier1@v1\.0\.0`, is undefined") as refused:
        promote(lab.folder, "tier1")
    assert "gto deprecate tier1 v1.0.0 best" in refused.value.hint


@pytest.mark.parametrize("column", ["rank_ic_5", pytest.param("net", marks=pytest.mark.slow)])
def test_sessions_that_lack_a_column_give_no_interval(lab: Any, column: str) -> None:
    release_as_older(lab, column=column)
    lab.train(2, 0.06)
    compared = promote(lab.folder, "tier1").record.compared_with
    assert compared is not None
    assert (compared.tag, compared.gain) == (TAG, None)
