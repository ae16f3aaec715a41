from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gogooku3.features import rolling
from gogooku3.features.rolling import order

Floats = npt.NDArray[np.float64]


def _skew(x: Floats) -> float:
    d = x - x.mean()
    return float((d**3).mean() / (d**2).mean() ** 1.5) if np.ptp(x) > 0 else np.nan


def _kurt(x: Floats) -> float:
    d = x - x.mean()
    return float((d**4).mean() / (d**2).mean() ** 2 - 3) if np.ptp(x) > 0 else np.nan


def _weighted(window: Floats) -> float:
    weights = np.arange(1.0, len(window) + 1)[~np.isnan(window)]
    return float((weights * window[~np.isnan(window)]).sum() / weights.sum())


def _age_of_highest(window: Floats) -> float:
    return float(min(age for age, value in enumerate(window[::-1]) if value == np.nanmax(window)))


def _rank_of_last(window: Floats) -> float:
    if np.isnan(window[-1]):
        return np.nan
    others = [value for value in window[:-1] if not np.isnan(value)]
    return sum((value < window[-1]) + (value == window[-1]) / 2 for value in others) / len(others)


def _drawdown(window: Floats) -> float:
    known = window[~np.isnan(window)]
    return min(later - earlier for i, earlier in enumerate(known) for later in known[i:])


def _fit(window: Floats) -> tuple[float, float]:
    t, y = np.arange(len(window))[~np.isnan(window)], window[~np.isnan(window)]
    slope, level = np.polyfit(t, y, 1)
    left = ((y - slope * t - level) ** 2).sum()
    return float(slope), float(1 - left / ((y - y.mean()) ** 2).sum()) if np.ptp(y) > 0 else np.nan


def _off_line(window: Floats) -> float:
    t, known = np.arange(len(window)), ~np.isnan(window)
    return float(window[-1] - np.polyval(np.polyfit(t[known], window[known], 1), t[-1]))


ONE_SERIES: dict[str, tuple[Callable[[Floats, int], Floats], Callable[[Floats], float]]] = {
    "mean": (rolling.mean, lambda w: float(np.nanmean(w))),
    "lowest": (rolling.lowest, lambda w: float(np.nanmin(w))),
    "highest": (rolling.highest, lambda w: float(np.nanmax(w))),
    "var": (rolling.var, lambda w: float(np.nanvar(w, ddof=1))),
    "std": (rolling.std, lambda w: float(np.nanstd(w, ddof=1))),
    "skew": (rolling.skew, lambda w: _skew(w[~np.isnan(w)])),
    "kurt": (rolling.kurt, lambda w: _kurt(w[~np.isnan(w)])),
    "slope": (rolling.slope, lambda w: _fit(w)[0]),
    "r2": (rolling.r2, lambda w: _fit(w)[1]),
    "off_line": (rolling.off_line, _off_line),
    "decayed_mean": (rolling.decayed_mean, _weighted),
    "since_highest": (rolling.since_highest, _age_of_highest),
    "since_lowest": (rolling.since_lowest, lambda w: _age_of_highest(-w)),
    "rank_of_last": (rolling.rank_of_last, _rank_of_last),
    "max_drawdown": (rolling.max_drawdown, _drawdown),
    "median": (rolling.median, lambda w: float(np.nanmedian(w))),
    "quantile": (partial(rolling.quantile, q=0.1), lambda w: float(np.nanquantile(w, 0.1))),
}

TWO_SERIES: dict[str, tuple[Callable[[Floats, Floats, int], Floats], Callable[[Floats, Floats], float]]] = {
    "cov": (rolling.cov, lambda x, y: float(np.cov(x, y)[0, 1])),
    "corr": (rolling.corr, lambda x, y: float(np.corrcoef(x, y)[0, 1])),
    "beta": (rolling.beta, lambda x, y: float(np.polyfit(x, y, 1)[0])),
    "residual_std": (
        rolling.residual_std,
        lambda x, y: math.sqrt(((y - np.polyval(np.polyfit(x, y, 1), x)) ** 2).sum() / (len(x) - 2)),
    ),
}

# Few distinct values, so that windows hold ties and are flat at times; NaN for one value in six.
VALUES = st.sampled_from([np.nan, -2.0, -0.5, 0.1, 0.1, 3.0])
SERIES = arrays(np.float64, st.tuples(st.integers(1, 14), st.just(2)), elements=VALUES)


def _reference(x: Floats, window: int, statistic: Callable[[Floats], float]) -> Floats:
    expected = np.full(x.shape, np.nan)
    for t in range(window - 1, len(x)):
        for s in range(x.shape[1]):
            seen = x[t - window + 1 : t + 1, s]
            if (~np.isnan(seen)).sum() >= math.ceil(0.8 * window):
                expected[t, s] = statistic(seen)
    return expected


@pytest.mark.parametrize("name", ONE_SERIES)
@settings(max_examples=25, deadline=None)
@given(x=SERIES, window=st.integers(3, 7))
def test_a_statistic_equals_a_loop_over_windows(name: str, x: Floats, window: int) -> None:
    compute, statistic = ONE_SERIES[name]
    np.testing.assert_allclose(
        compute(x, window), _reference(x, window, statistic), rtol=1e-9, atol=1e-12, equal_nan=True
    )


@pytest.mark.parametrize("name", TWO_SERIES)
@pytest.mark.parametrize("window", [5, 12])
def test_a_statistic_of_two_series_uses_the_sessions_with_both_values(name: str, window: int) -> None:
    draw = np.random.Generator(np.random.Philox(5))
    x, y = draw.normal(size=(2, 40, 3))
    x[draw.random(x.shape) < 0.1] = np.nan
    y[draw.random(y.shape) < 0.1] = np.nan
    compute, statistic = TWO_SERIES[name]
    expected = np.full(x.shape, np.nan)
    for t in range(window - 1, len(x)):
        for s in range(3):
            seen = np.stack([x[t - window + 1 : t + 1, s], y[t - window + 1 : t + 1, s]])
            seen = seen[:, ~np.isnan(seen).any(axis=0)]
            if seen.shape[1] >= math.ceil(0.8 * window):
                expected[t, s] = statistic(*seen)
    assert np.isfinite(expected).any()
    np.testing.assert_allclose(compute(x, y, window), expected, rtol=1e-9, equal_nan=True)


@pytest.mark.parametrize("name", ONE_SERIES)
def test_the_bits_do_not_depend_on_start_and_end_of_the_history(name: str) -> None:
    x = np.random.Generator(np.random.Philox(6)).normal(size=(60, 2))
    compute, _ = ONE_SERIES[name]
    whole = compute(x, 11)
    for start, stop in ((1, 60), (7, 60), (29, 60), (0, 33)):
        np.testing.assert_array_equal(compute(x[start:stop], 11)[10:], whole[start + 10 : stop])


@pytest.mark.parametrize("window", [1, 2, 3, 8, 13, 64, 100, 250])
def test_means_and_extremes_are_right_for_every_window_length(window: int) -> None:
    x = np.random.Generator(np.random.Philox(7)).integers(-99, 99, (260, 1)).astype(np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(x[:, 0], window)
    np.testing.assert_array_equal(rolling.mean(x, window)[window - 1 :, 0], windows.sum(axis=1) / window)
    np.testing.assert_array_equal(rolling.lowest(x, window)[window - 1 :, 0], windows.min(axis=1))
    np.testing.assert_array_equal(rolling.highest(x, window)[window - 1 :, 0], windows.max(axis=1))


def test_a_huge_old_value_does_not_affect_later_sums() -> None:
    x = np.full((30, 1), 0.1)
    x[3] = 1e17
    assert rolling.mean(x, 10)[-1, 0] == rolling.mean(x[10:], 10)[-1, 0]


def test_equal_values_have_zero_variance_and_no_correlation() -> None:
    x = np.full((30, 1), 0.1)
    moving = np.arange(30.0)[:, None]
    assert (rolling.var(x, 20)[19:] == 0).all()
    assert np.isnan(rolling.corr(x, moving, 20)).all()
    assert np.isnan(rolling.skew(x, 20)).all()
    assert np.isnan(rolling.r2(x, 20)).all()


@pytest.mark.parametrize(("window", "needed"), [(1, 1), (2, 2), (3, 3), (5, 4), (20, 16), (60, 48), (250, 200)])
def test_four_fifths_of_a_window_must_be_known(window: int, needed: int) -> None:
    assert rolling.required(window) == needed
    x = np.ones((window, 1))
    x[: window - needed] = np.nan
    assert rolling.mean(x, window)[-1, 0] == 1.0
    x[window - needed] = np.nan
    assert np.isnan(rolling.mean(x, window)[-1, 0])


def test_a_window_longer_than_the_history_is_nan() -> None:
    x = np.ones((5, 2))
    for compute, _ in ONE_SERIES.values():
        assert np.isnan(compute(x, 9)).all()
    for pair, _ in TWO_SERIES.values():
        assert np.isnan(pair(x, x, 9)).all()


def test_shift_gives_the_value_of_earlier_sessions() -> None:
    x = np.arange(4.0)[:, None]
    np.testing.assert_array_equal(rolling.shift(x, 0)[:, 0], [0, 1, 2, 3])
    np.testing.assert_array_equal(rolling.shift(x, 2)[:, 0], [np.nan, np.nan, 0, 1])
    assert np.isnan(rolling.shift(x, 9)).all()


def test_quantiles_do_not_depend_on_the_block_size(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.Generator(np.random.Philox(8)).normal(size=(40, 7))
    whole = rolling.quantile(x, 10, 0.3)
    monkeypatch.setattr(order, "_SORTED_AT_ONCE", 700)
    np.testing.assert_array_equal(rolling.quantile(x, 10, 0.3), whole)
