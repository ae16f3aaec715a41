from __future__ import annotations

import numpy as np

from gogooku3.dataset.normalise import fit, robust_z, standardise


def test_a_robust_z_score_is_the_distance_from_the_median_in_scaled_mad() -> None:
    # median 3; absolute deviations 2, 1, 0, 1, 97: MAD 1
    z = robust_z(np.array([[1.0, 2.0, 3.0, 4.0, 100.0]]), clip=5.0)
    np.testing.assert_allclose(z, [[-2 / 1.4826, -1 / 1.4826, 0.0, 1 / 1.4826, 5.0]])


def test_an_even_count_takes_the_middle_of_the_two_central_values() -> None:
    # median 2.5; absolute deviations 2.5, 1.5, .5, .5, 1.5, 2.5: MAD 1.5
    z = robust_z(np.array([[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]]), clip=5.0)
    np.testing.assert_allclose(z[0], (np.arange(6) - 2.5) / (1.4826 * 1.5))


def test_a_missing_value_stays_missing_and_does_not_count() -> None:
    known = np.array([[1.0, 2.0, 3.0, 4.0, 7.0]])
    z = robust_z(np.insert(known, 2, np.nan, axis=1), clip=5.0)
    assert np.isnan(z[0, 2])
    np.testing.assert_array_equal(np.delete(z, 2, axis=1), robust_z(known, clip=5.0))


def test_mostly_equal_values_are_scaled_by_their_mean_deviation() -> None:
    # median 0, MAD 0; mean absolute deviation 2/5
    z = robust_z(np.array([[0.0, 0.0, 0.0, 0.0, 2.0]]), clip=5.0)
    np.testing.assert_allclose(z, [[0, 0, 0, 0, 2 / (np.sqrt(np.pi / 2) * 0.4)]])


def test_all_equal_values_are_zero() -> None:
    np.testing.assert_array_equal(robust_z(np.full((1, 6), 7.0), clip=5.0), np.zeros((1, 6)))


def test_fewer_than_five_values_are_nan() -> None:
    assert np.isnan(robust_z(np.array([[1.0, 2.0, 3.0, 4.0, np.nan], [np.nan] * 5]), clip=5.0)).all()


def test_each_session_is_scaled_independently() -> None:
    x = np.random.Generator(np.random.Philox(2)).normal(size=(6, 9))
    np.testing.assert_array_equal(robust_z(x, 5.0)[2:4], robust_z(x[2:4], 5.0))


def test_session_features_are_scaled_by_the_fitted_values() -> None:
    fitted = fit(np.array([1.0, np.nan, 3.0]))
    assert fitted == {"mean": 2.0, "std": 1.0}
    np.testing.assert_array_equal(standardise(np.array([2.5, np.nan, 100.0]), fitted, 5.0), [0.5, np.nan, 5.0])


def test_without_values_to_fit_nothing_is_scaled() -> None:
    assert fit(np.array([np.nan])) == {"mean": 0.0, "std": 1.0}
    assert fit(np.array([4.0, 4.0])) == {"mean": 4.0, "std": 1.0}
