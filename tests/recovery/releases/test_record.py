"""A record survives the round trip through a tag's message."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gogooku3.errors import MismatchError
from gogooku3.package.lineage import Parent
from gogooku3.recovery.releases.comparison import Comparison
from gogooku3.recovery.releases.estimates import Estimate, Measured
from gogooku3.recovery.releases.record import (
    Readings,
    Record,
    comparison,
    message,
    parse,
    readings,
    require_model,
)

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
MAYBE = st.none() | NUMBERS
TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)
ESTIMATES = st.builds(Estimate, MAYBE, MAYBE, MAYBE)
SPLITS = st.builds(Measured, TEXTS, TEXTS, ESTIMATES, st.dictionaries(st.sampled_from(["1", "5", "20"]), ESTIMATES))
DEFINED = st.builds(
    Measured,
    TEXTS,
    TEXTS,
    ESTIMATES,
    st.dictionaries(st.sampled_from(["1", "5", "20"]), st.builds(Estimate, NUMBERS, MAYBE, MAYBE), min_size=1),
)
RECORDS = st.builds(
    Record,
    tier=st.just("tier1"),
    version=st.just("v1.0.0"),
    model_sha256=TEXTS,
    parent=st.none() | st.builds(Parent, TEXTS, TEXTS, TEXTS),
    environment=st.dictionaries(st.just("versions"), st.dictionaries(TEXTS, TEXTS)),
    validation=DEFINED,
    test=SPLITS,
    compared_with=st.none() | st.builds(Comparison, TEXTS, NUMBERS, TEXTS, st.none() | ESTIMATES),
    despite_worse=st.none() | TEXTS | st.just("why:\nrecord: {}\n"),
    stage_tag=st.none() | st.just("tier1#best#1"),
    trials=st.none() | st.integers(1, 1000),
    trials_deviation=st.none() | st.floats(0, 1),
    deflated_sharpe=st.none() | st.floats(0, 1),
    test_readings=st.none() | st.builds(Readings, st.integers(1, 1000), st.integers(1, 1000)),
    software=st.none() | st.just({"Python": "3.11.7", "glibc": "2.36"}),
    note=st.none() | TEXTS | st.just("learned:\nrecord: {}\n"),
)

EXAMPLE = Record(
    tier="tier1",
    version="v1.1.0",
    model_sha256="ab" * 32,
    parent=None,
    environment={"exact_on": "x86-64-v3", "versions": {"torch": "2.13.0+cpu", "numpy": "2.4.6"}},
    validation=Measured("2022-12-01", "2023-04-28", Estimate(1.25, 0.5, 2.0), {"1": Estimate(0.03125, 0.01, 0.05)}),
    test=Measured("2023-05-01", "2023-12-29", Estimate(0.5, -0.5, 1.5), {"1": Estimate(None, None, None)}),
    compared_with=Comparison(
        "tier1@v1.0.0", 0.025, "horizons 1; 2022-12-01 to 2023-04-28", Estimate(0.00625, 0.001, 0.0125)
    ),
    despite_worse=None,
    stage_tag="tier1#best#2",
    trials=12,
    trials_deviation=0.5,
    deflated_sharpe=0.875,
    test_readings=Readings(model=1, tier=11),
)


@given(RECORDS)
def test_every_record_is_parsed_from_its_message(record: Record) -> None:
    assert parse(message(record)) == record


def test_the_message_reads_as_text_before_its_last_line() -> None:
    text = message(EXAMPLE)
    assert text.splitlines()[:-1] == [
        "tier1 v1.1.0, best of its tier",
        "",
        f"model SHA-256: {'ab' * 32}",
        "started from: scratch",
        "validation RankIC: 0.0312 (mean; horizons 1; 2022-12-01 to 2023-04-28)",
        "compared with: tier1@v1.0.0, 0.0250 (same horizons and sessions); gain 0.006 [0.001, 0.013], beyond",
        "  noise: the interval leaves out 0",
        "chosen from: 12 different results of tier1, whose Sharpe ratios have a standard deviation of 0.500;",
        "  deflated Sharpe on validation 0.8750",
        "test: 1 result of this model and 11 of tier1 had been seen; promote chooses by validation",
        "exact on: x86-64-v3",
        "libraries: torch 2.13.0+cpu, numpy 2.4.6",
        "",
        "            validation                  test",
        "Sharpe      1.250 [0.500, 2.000]        0.500 [-0.500, 1.500]",
        "RankIC 1    0.031 [0.010, 0.050]        undefined",
        "",
    ]
    assert text.splitlines()[-1].startswith('record: {"tier": "tier1", ')


def test_a_note_is_part_of_the_text() -> None:
    assert "\nnote: wider layers gain nothing\n" in message(replace(EXAMPLE, note="wider layers\ngain nothing"))
    assert "\nnote:" not in message(EXAMPLE)


@pytest.mark.parametrize(
    ("low", "high", "sign"),
    [(0.1, 0.2, 1), (-0.2, -0.1, -1), (-0.1, 0.1, 0), (0.0, 0.1, 0), (-0.1, 0.0, 0), (None, 1.0, None)],
)
def test_the_sign_of_an_estimate_is_that_of_its_whole_interval(
    low: float | None, high: float | None, sign: int | None
) -> None:
    assert Estimate(0.1, low, high).sign == sign


def test_a_model_that_was_trained_from_a_release_names_it() -> None:
    tuned = replace(EXAMPLE, parent=Parent("tier1@v1.0.0", "0" * 40, "cd" * 32))
    assert f"\nstarted from: tier1@v1.0.0, SHA-256 {'cd' * 32}\n" in message(tuned)


def test_a_comparison_over_other_sessions_says_which() -> None:
    other = replace(EXAMPLE, compared_with=Comparison("tier1@v1.0.0", 0.025, "horizons 1; 2021-01-01 to 2021-12-30"))
    assert comparison(other) == (
        "tier1@v1.0.0, 0.0250 (horizons 1; 2021-01-01 to 2021-12-30); NOT comparable: other sessions or horizons, and"
        " too few sessions are recorded for both"
    )


def test_a_gain_within_noise_is_reported_as_such():
    gain = Estimate(0.00625, -0.001, 0.0125)
    text = comparison(replace(EXAMPLE, compared_with=replace(EXAMPLE.compared_with, gain=gain)))
    assert "gain 0.006 [-0.001, 0.013], within noise" in text
    assert "within noise" not in comparison(EXAMPLE)


def test_a_loss_beyond_noise_is_reported_as_such():
    gain = Estimate(-0.00625, -0.0125, -0.001)
    text = comparison(replace(EXAMPLE, compared_with=replace(EXAMPLE.compared_with, gain=gain)))
    assert "gain -0.006 [-0.013, -0.001], beyond noise" in text


@pytest.mark.parametrize("gain", [None, Estimate(0.00625, None, None)])
def test_a_gain_without_an_interval_is_not_called_noise(gain):
    text = comparison(replace(EXAMPLE, compared_with=replace(EXAMPLE.compared_with, gain=gain)))
    assert "no interval: the sessions are not recorded for both, or too few" in text
    assert "noise" not in text


def test_a_record_from_before_trials_were_counted_reads_back_without_them():
    older = re.sub(r', "trials": 12.*"tier": 11\}', "", message(EXAMPLE))
    older = re.sub(r', "gain": \{.*?\}', "", older)
    record = parse(older)
    assert record is not None
    assert (record.trials, record.deflated_sharpe, record.compared_with.gain) == (None, None, None)
    assert "chosen from: not recorded" in message(record)
    assert "test: how many results had been seen is not recorded" in message(record)


def test_a_record_from_before_a_training_could_start_from_a_release_says_scratch():
    older = message(EXAMPLE).replace('"parent": null, ', "")
    assert "parent" not in older
    assert parse(older) == EXAMPLE


def test_a_model_that_was_evaluated_again_on_test_is_reported():
    text = readings(replace(EXAMPLE, test_readings=Readings(model=3, tier=11)))
    assert text.startswith("3 different results of this model and 11 of tier1 had been seen")


def test_a_message_without_a_complete_record_has_none() -> None:
    text = message(EXAMPLE)
    assert parse("Registering artifact tier1 version v1.0.0") is None
    assert parse(text[: len(text) // 2]) is None
    assert parse(text.replace('"tier": "tier1", ', "")) is None


def test_a_record_is_read_with_fields_of_a_newer_version_other_line_ends_and_lines_after_it() -> None:
    text = message(EXAMPLE)
    newer = text.replace('"sharpe": {', '"newer": [1], "sharpe": {').replace('{"tier"', '{"newer": {}, "tier"')
    for changed in (newer, text.replace("\n", "\r\n"), f"{text}a line after it\n", f"{text}\n \n"):
        assert changed != text
        assert parse(changed) == EXAMPLE


def test_the_mean_is_undefined_where_one_horizon_is() -> None:
    split = replace(EXAMPLE.validation, rank_ic={"1": Estimate(0.02, 0, 1), "5": Estimate(0.04, 0, 1)})
    assert split.mean_rank_ic == 0.03
    assert replace(split, rank_ic={**split.rank_ic, "10": Estimate(None, None, None)}).mean_rank_ic is None
    assert replace(split, rank_ic={}).mean_rank_ic is None


def test_only_the_recorded_weights_are_those_of_a_release():
    require_model("tier1@v1.0.0", "a" * 64, "a" * 64)
    for found, text in (("b" * 64, "has b{64}"), (None, "has no weights")):
        with pytest.raises(MismatchError, match=f"records a model with SHA-256 a{{64}}; .* {text}"):
            require_model("tier1@v1.0.0", "a" * 64, found)
