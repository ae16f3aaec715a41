"""Plans near the edges of what is possible end well, or in one clear error before the first stage works.

Drawn by Hypothesis from `plans.EDGES`. A market with suspended stocks has chance bars: the first stage that sees them,
`dataset`, may refuse it, before it computes a feature.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings

from gogooku3 import config, preflight
from gogooku3.errors import ConfigError, DataError, MachineError

from .plans import End, plans, run, tree_of

CLEAR = (ConfigError, DataError, MachineError)
"""What a plan may be refused with: its parameters, its bars, or a machine too small for it."""


def run_in_a_folder(changes: dict[str, Any]) -> End:
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        try:
            return run(tree_of(changes), Path(folder), os.chdir)
        finally:
            os.chdir(before)


def end_is_clear(changes: dict[str, Any], end: End) -> None:
    event(f"refused by {end.stage}" if end.stage else "ran to the end")
    if end.error is None:
        return
    assert isinstance(end.error, CLEAR), end
    assert end.error.hint
    assert end.stage in ("schema", "quotes", *(["dataset"] if changes.get("quotes.suspended") else [])), end


@settings(max_examples=150)
@given(plans(3))
def test_the_preflight_of_any_plan_ends_in_a_clear_error_or_none(changes: dict[str, Any]) -> None:
    with suppress(*CLEAR):
        preflight.check(config.parse(tree_of(changes)), machine=True)


@pytest.mark.slow
def test_a_tiny_plan_runs_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    end = run(tree_of({"evaluation.quantiles": 12, "dataset.graph.neighbours": 11}), tmp_path, monkeypatch.chdir)
    assert end == End(None, None)


@pytest.mark.slow
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(plans(2))
def test_a_plan_that_is_not_refused_before_the_first_stage_runs_to_the_end(changes: dict[str, Any]) -> None:
    end_is_clear(changes, run_in_a_folder(changes))
