"""Results that are too good to be true are released only with a reason, which tag, leaderboard and `tiers` have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gogooku3 import paths
from gogooku3.cli.tiers import tiers as tiers_command
from gogooku3.errors import DataError, RefusedError
from gogooku3.recovery import implausible
from gogooku3.recovery.leaderboard import leaderboard
from gogooku3.recovery.promote import promote
from gogooku3.recovery.releases import tags
from gogooku3.recovery.releases.record import parse, plausibility
from gogooku3.runtime.files import write_json

FINDING = {"check": "plausibility", "level": "fault", "features": ["joined_early"], "text": "a RankIC of 0.9 at lag 0"}


def report(folder: Path, *findings: dict[str, Any]) -> None:
    (folder / paths.REPORTS).mkdir(exist_ok=True)
    write_json({"findings": [*findings]}, folder / paths.QUALITY_SUMMARY)


def test_implausible_metrics_need_a_reason(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.train(2, 0.4)
    with pytest.raises(
        RefusedError, match=r"too good to be true: on validation, .*RankIC at horizon 1 is above"
    ) as info:
        promote(lab.folder, "tier1")
    assert "--despite-implausible" in str(info.value.hint)
    assert lab.tags() == set()

    made = promote(lab.folder, "tier1", despite_implausible="to show | it")
    best = tags.read(lab.folder).best("tier1")
    assert best is not None
    record = parse(best.tag.message)
    assert record == made.record
    assert record is not None
    assert record.despite_implausible == "to show | it"
    assert record.implausible
    assert plausibility(record).endswith("; released because: to show | it")
    for line in ("despite implausible: to show | it", "market: synthetic: the results are about generated quotes"):
        assert line in best.tag.message
    assert "`tier1@v1.0.0` **implausible**, released because: to show \\| it |" in leaderboard(lab.folder)
    monkeypatch.chdir(lab.folder)
    monkeypatch.setenv("COLUMNS", "200")
    assert "implausible, released because: to show | it" in CliRunner().invoke(tiers_command).stdout


def test_plausible_results_need_no_reason_and_record_none(lab: Any) -> None:
    record = promote(lab.folder, "tier1", despite_implausible="not needed").record
    assert (record.implausible, record.despite_implausible) == ([], None)
    assert plausibility(record) == "plausible"


def test_a_feature_that_knows_the_future_is_refused_by_name(lab: Any) -> None:
    report(lab.folder, FINDING | {"level": "note"}, FINDING | {"check": "missing"})
    lab.commit("Other findings")
    assert implausible.findings(lab.folder, "HEAD") == []
    report(lab.folder, FINDING)
    lab.commit("A finding")
    with pytest.raises(RefusedError, match=r"too good to be true: joined_early: a RankIC of 0.9 at lag 0"):
        promote(lab.folder, "tier1")
    (lab.folder / paths.QUALITY_SUMMARY).write_text("{}")
    lab.commit("Damaged")
    with pytest.raises(DataError, match="is damaged"):
        implausible.findings(lab.folder, "HEAD")


def test_a_commit_of_an_earlier_version_is_not_checked(lab: Any) -> None:
    for split in ("validation", "test"):
        (lab.folder / paths.metrics_of(split)).write_text('{"sessions": 3}')
    lab.commit("Of an earlier version")
    assert implausible.findings(lab.folder, "HEAD") is None
    implausible.refuse(None, None)
