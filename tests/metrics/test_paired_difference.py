from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from gogooku3.config.evaluation import Bootstrap
from gogooku3.errors import DataError
from gogooku3.metrics.bootstrap import interval
from gogooku3.metrics.paired_difference import horizons_of, mean_over_horizons, paired_differences
from gogooku3.metrics.returns import sharpe
from gogooku3.metrics.session_mean import session_mean

from ..evaluation.conftest import sessions_of

T = 120
PARAMS = Bootstrap(draws=300, mean_block=5, seed=0)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def track(net_T: np.ndarray, start: int = 0, **rank_ics: np.ndarray) -> pl.DataFrame:
    dates = sessions_of(start + len(net_T))[start:]
    return pl.DataFrame({"Date": dates, "net": net_T} | {f"rank_ic_{name[1:]}": x for name, x in rank_ics.items()})


def test_a_difference_is_that_of_the_values_over_the_common_sessions():
    net, other = 0.01 * noise(2, T)
    table = paired_differences(
        track(net, h1=net + 1, h5=net), track(other[20:], 20, h1=other[20:], h5=other[20:]), PARAMS
    )
    assert table["sessions"] == T - 20
    expected = float(sharpe(net[20:]) - sharpe(other[20:]))
    assert table["sharpe"]["value"] == pytest.approx(expected)
    assert table["sharpe"]["low"] < expected < table["sharpe"]["high"]
    gain = (net - other)[20:].mean()
    assert table["rank_ic"]["5"]["value"] == pytest.approx(gain)
    assert table["rank_ic"]["1"]["value"] == pytest.approx(1 + gain)
    assert table["mean_rank_ic"]["value"] == pytest.approx(0.5 + gain)


def test_intervals_are_those_of_a_mean_of_the_differences_and_the_bootstraps_for_the_sharpe_ratio():
    net, other = 0.01 * noise(2, T)
    table = paired_differences(track(net, h1=net, h20=net), track(other, h1=other, h20=other), PARAMS)

    def found(entry: dict[str, float]) -> tuple[float, float]:
        return entry["low"], entry["high"]

    gain = net - other
    for horizon in (1, 20):
        assert found(table["rank_ic"][str(horizon)]) == pytest.approx(session_mean(gain, horizon).bounds, rel=1e-9)
    both = np.stack([gain, gain], axis=1)
    assert found(table["mean_rank_ic"]) == pytest.approx(session_mean(both, 20).bounds, rel=1e-9)
    pairs = np.stack([net, other], axis=1)
    assert found(table["sharpe"]) == interval(pairs, lambda x: sharpe(x[..., 0]) - sharpe(x[..., 1]), PARAMS, 1)


def test_sessions_that_one_track_does_not_have_say_nothing():
    net, other = 0.01 * noise(2, T)
    net[:3], other[-2:] = np.nan, np.nan
    table = paired_differences(track(net), track(other), PARAMS)
    assert table["sessions"] == T - 5
    assert table == paired_differences(track(net[3:-2], 3), track(other[3:-2], 3), PARAMS)
    assert "rank_ic" not in table


def test_common_movements_cancel_in_the_paired_difference():
    common = 0.02 * noise(T)
    net = 0.001 + common + 0.0005 * noise(T, seed=1)
    paired = paired_differences(track(net), track(common), PARAMS)["sharpe"]
    apart = paired_differences(track(net), track(0.02 * noise(T, seed=2)), PARAMS)["sharpe"]
    assert paired["low"] > 0
    assert paired["high"] - paired["low"] < (apart["high"] - apart["low"]) / 5


def test_a_track_compared_with_itself_differs_by_nothing():
    net = 0.01 * noise(T)
    table = paired_differences(track(net, h1=net), track(net, h1=net), PARAMS)
    for estimate in (table["sharpe"], table["rank_ic"]["1"], table["mean_rank_ic"]):
        assert estimate == {"value": 0.0, "low": 0.0, "high": 0.0}


@pytest.mark.slow
@pytest.mark.parametrize("horizon", [1, 20])
def test_intervals_of_differences_of_noise_cover_zero_nineteen_times_in_twenty(horizon):
    trials, covered = 600, {"sharpe": 0, "rank_ic": 0}
    sessions = T + horizon - 1
    for seed in range(trials):
        common, one, other = noise(3, sessions, seed=1000 + seed)
        window = np.ones(horizon) / horizon
        pair = [np.convolve(common + 0.3 * own, window, "valid") for own in (one, other)]
        pair = [track(own[:T], **{f"h{horizon}": x}) for own, x in zip((one, other), pair, strict=True)]
        table = paired_differences(*pair, PARAMS)
        for name, estimate in (("sharpe", table["sharpe"]), ("rank_ic", table["rank_ic"][str(horizon)])):
            covered[name] += estimate["low"] <= 0 <= estimate["high"]
    margin = 3 * math.sqrt(0.95 * 0.05 / trials)
    for name, hits in covered.items():
        assert abs(hits / trials - 0.95) < margin, name


def test_tracks_of_other_horizons_have_no_common_rank_ic():
    net = 0.01 * noise(T)
    assert "rank_ic" not in paired_differences(track(net, h1=net), track(net, h1=net, h5=net), PARAMS)


def test_tracks_of_other_times_are_refused():
    with pytest.raises(DataError, match="no session in common: 2023-05-01 to 2023-05-05 and 2023-05-08 to"):
        paired_differences(track(noise(5)), track(noise(5), 5), PARAMS)


def test_a_mean_over_horizons_takes_each_over_its_own_sessions():
    series_TH = np.stack([noise(40), noise(40, seed=1)], axis=1)
    series_TH[-19:, 1] = np.nan
    expected = (series_TH[:, 0].mean() + series_TH[:21, 1].mean()) / 2
    assert mean_over_horizons(series_TH, (1, 20))["value"] == pytest.approx(expected)
    series_TH[:, 1] = np.nan
    assert mean_over_horizons(series_TH, (1, 20)) == {"value": None, "low": None, "high": None}


def test_a_written_track_reads_back_the_same(tmp_path):
    net = 0.01 * noise(T)
    net[0] = np.nan
    written = track(net, h1=net, h10=net)
    written.write_csv(tmp_path / "track.csv")
    read = pl.read_csv(tmp_path / "track.csv", try_parse_dates=True)
    assert horizons_of(read) == [1, 10]
    assert paired_differences(read, written, PARAMS) == paired_differences(written, written, PARAMS)
