"""Single features that know the future are errors, by name; the RankICs behind that are those of the evaluation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gogooku3.metrics.ranking import rank_ic
from gogooku3.quality.checks import plausibility
from gogooku3.quality.finding import Finding
from gogooku3.quality.statistics import collect

from .conftest import QUOTES, Change, Harm, surveyed


def found(folder: Path) -> list[Finding]:
    return list(plausibility.check(surveyed(folder)))


def arranged(folder: Path, kind: str, column: str) -> np.ndarray:
    """[T, S] values of a column of the dataset."""
    frame = pl.read_parquet(str(folder / f"{kind}/*.parquet")).select("Date", "Code", column)
    wide = frame.pivot("Code", index="Date", values=column).sort("Date")
    return wide.select(sorted(wide.columns[1:])).to_numpy().astype(np.float64)


def leak(folder: Path, strength: float, earlier: int = 0) -> Change:
    """A feature that knows the return of the next session (or of one `earlier`), and noise."""
    returns = pl.read_parquet(str(folder / "targets/*.parquet")).select("Date", "Code", "target_1").sort("Date", "Code")
    returns = returns.with_columns(pl.col("target_1").fill_nan(0.0).shift(-earlier).over("Code").fill_null(0.0))
    noise = np.random.default_rng(5).standard_normal(returns.height)
    known = strength * returns["target_1"].to_numpy() / returns["target_1"].std() + noise
    table = returns.select("Date", "Code", known=pl.Series(known.astype(np.float32)))

    def change(frame: pl.DataFrame) -> pl.DataFrame:
        joined = frame.join(table, on=["Date", "Code"], how="left", maintain_order="left")
        return frame.with_columns(ret_5=joined["known"])

    return change


@pytest.mark.parametrize("name", ["vol_close_20", "rank_ret_5"])
def test_the_rank_ics_are_those_of_the_evaluation_in_every_third_session(sound: Path, name: str) -> None:
    skill = surveyed(sound).skill
    assert skill.targets == [(0, 1), (1, 1), (2, 1), (0, 5)]
    sessions = json.loads((sound / "split.json").read_text())["train"]["sessions"]
    assert 240 < sessions <= 360
    sampled = np.arange(0, sessions - 2, 3)
    feature_TS, next_TS = (arranged(sound, *of) for of in (("features", name), ("targets", "target_1")))
    five_TS = arranged(sound, "targets", "target_5")
    targets = [next_TS[sampled + lag] for lag in (0, 1, 2)] + [five_TS[sampled]]
    expected = [np.nanmean(rank_ic(feature_TS[sampled], target_TS)) for target_TS in targets]
    assert skill.rank_ic_FK[skill.names.index(name)] == pytest.approx(expected, abs=1e-12)


def test_nothing_is_found_in_a_sound_dataset(sound: Path) -> None:
    assert found(sound) == []


@pytest.mark.parametrize("lag", [0, 1])
def test_a_feature_with_the_next_return_is_an_error(sound: Path, harm: Harm, lag: int) -> None:
    (finding,) = found(harm(leak(sound, 3.0, lag)))
    assert (finding.kind, finding.level, finding.features) == ("implausible_feature", "fault", ("ret_5",))
    assert (finding.values["lag"], finding.values["horizon"]) == (lag, 1)
    assert finding.values["rank_ic"] > 0.8


def test_a_weaker_leak_is_seen_by_its_jump(sound: Path, harm: Harm) -> None:
    (finding,) = found(harm(leak(sound, 0.26)))
    assert (finding.kind, finding.level, finding.features) == ("early_feature", "fault", ("ret_5",))
    assert finding.values["lag_0"] == pytest.approx(0.19, abs=0.02)
    assert abs(finding.values["lag_2"]) < 0.05


def test_a_feature_can_know_what_the_oracle_of_a_synthetic_market_knows(sound: Path, harm: Harm) -> None:
    folder = harm(leak(sound, 0.5))
    strong, weak = ({"horizons": {h: {"rank_ic": value} for h in ("1", "5")}} for value in (0.5, 0.25))
    assert list(plausibility.check(collect(folder, QUOTES, strong))) == []
    (finding,) = plausibility.check(collect(folder, QUOTES, weak))
    assert finding.values["bound"] == 0.25
    assert "all that its oracle knows" in finding.text


def test_on_a_market_without_signals_noise_is_no_finding(sound: Path) -> None:
    nothing = {"horizons": {h: {"rank_ic": 0.0} for h in ("1", "5")}}
    assert list(plausibility.check(collect(sound, QUOTES, nothing))) == []


def test_a_universe_of_survivors_is_an_error(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(sound) == []  # 53 stock-years
    monkeypatch.setattr("gogooku3.metrics.plausible.STOCK_YEARS", 40)
    assert [finding.kind for finding in found(sound)] == ["survivors"]
    statistics = surveyed(sound)
    dropped = statistics.bar_counts._by_code.with_columns(pl.col("last").min() - pl.duration(days=1)).head(1)
    monkeypatch.setattr(statistics.bar_counts, "_by_code", statistics.bar_counts._by_code[1:].extend(dropped))
    assert list(plausibility.check(statistics)) == []
