"""The benchmark of rules of thumb: its variants, its verdicts, its table, and a small run."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import lessons
import numpy as np
import polars as pl
import pytest
from lessons import BASE, LESSONS, VARIANTS, Result, markdown, verdict
from measures.clone import PHASES
from measures.market import composed
from measures.processes import environment

from gogooku3 import config, preflight
from gogooku3.config import Params

ROOT = Path(__file__).parents[2]


def variant(name: str, demo: Params, folder: Path) -> Params:
    (folder / "params.yaml").write_text(composed(VARIANTS[name](demo)))
    return config.load(folder / "params.yaml")


@pytest.mark.parametrize("name", VARIANTS)
def test_each_variant_is_a_valid_configuration(name: str, demo: Params, tmp_path: Path) -> None:
    params = variant(name, demo, tmp_path)
    preflight.check(params)
    assert (params == demo) == (name == BASE)


def test_lessons_compare_known_variants() -> None:
    assert {name for lesson in LESSONS for name in (lesson.better, lesson.worse)} == set(VARIANTS)


def test_one_run_has_as_many_epochs_and_learns_in_the_last_phase_alone(demo: Params, tmp_path: Path) -> None:
    phases = [
        [getattr(each.train.phases, phase) for phase in PHASES] for each in (demo, variant("one run", demo, tmp_path))
    ]
    assert len({sum(phase.epochs for phase in each) for each in phases}) == 1
    assert [phase.learning_rate > 1e-9 for phase in phases[1]] == [False, False, False, True]


def test_the_sharpe_term_has_its_share(demo: Params, tmp_path: Path) -> None:
    for name, share in (("Sharpe term alone", 1.0), ("Sharpe term 0.8", 0.8), ("Sharpe term 0.5", 0.5)):
        loss = variant(name, demo, tmp_path).train.recipe.loss
        assert loss.sharpe / (loss.sharpe + loss.rank_ic + loss.ic) == pytest.approx(share)


@pytest.mark.parametrize(
    ("low", "high", "said"), [(0.01, 0.03, "confirmed"), (-0.01, 0.03, "not shown"), (-0.03, -0.01, "refuted")]
)
def test_a_claim_needs_the_whole_interval(low: float, high: float, said: str) -> None:
    assert verdict({"value": (low + high) / 2, "low": low, "high": high}) == said


def result(rank_ic: float) -> Result:
    days = [date(2024, 1, 1) + timedelta(day) for day in range(60)]
    random = np.random.default_rng(0)
    columns = {"net": 0.01 * random.standard_normal(60), "rank_ic_1": rank_ic + 0.01 * random.standard_normal(60)}
    frame = pl.DataFrame({"Date": days} | columns)
    return Result(dict.fromkeys(lessons.SPLITS, frame), {split: [rank_ic, rank_ic + 0.02] for split in lessons.SPLITS})


def test_the_table_says_which_claims_hold(demo: Params) -> None:
    results = dict.fromkeys(VARIANTS, result(0.1)) | {"one run": result(0.05), "Sharpe term 0.5": result(0.2)}
    text = " ".join(markdown(results, demo, "").split())
    assert "| Four phases are better than one run with as many epochs. | confirmed | 0.050 [0.050, 0.050] |" in text
    assert "| The Sharpe term alone is better than 0.5 of it. | refuted | -0.100 [" in text
    assert "| Four times the hidden size is better. | not shown | 0.000 [0.000, 0.000] |" in text
    assert "| one run | 0.060 ± 0.014 | 0.060 ± 0.014 |" in text


@pytest.mark.slow
def test_a_small_run_ends_with_the_table(tmp_path: Path) -> None:
    """With the pipeline's stages; a second call makes nothing again."""
    command = [sys.executable, str(ROOT / "benchmarks/lessons.py"), "--size", "small", "--seeds", "2"]
    command += ["--folder", str(tmp_path / "work"), "--out", str(tmp_path / "table.md")]
    for trains in (True, False):
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert ("one-run: member 2 …" in done.stderr) == trains
    table = (tmp_path / "table.md").read_text()
    assert table.count("Sharpe term alone is better than") == 2
    assert "its figures mean nothing" in " ".join(table.split())


def test_one_seed_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["lessons.py", "--seeds", "1"])
    with pytest.raises(SystemExit, match="2"):
        lessons.main()
    assert capsys.readouterr().err.endswith("lessons.py: error: --seeds is 1; use 2 or more\n")
