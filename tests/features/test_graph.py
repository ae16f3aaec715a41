from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gogooku3.config.dataset import Graph
from gogooku3.features import graph
from gogooku3.features.market import Market

EVERYONE = np.ones(12, bool)


def _clustered(window: int = 60, seed: int = 4) -> np.ndarray:
    """Twelve stocks in three clusters of four: stock n is in cluster n % 3."""
    draw = np.random.Generator(np.random.Philox(seed))
    factors = draw.normal(size=(window, 3))
    return 0.02 * (factors[:, np.arange(12) % 3] + 0.5 * draw.normal(size=(window, 12)))


def test_the_neighbours_of_a_stock_are_the_others_of_its_planted_cluster() -> None:
    neighbour_SK, correlation_SK = graph.nearest(_clustered(), EVERYONE, 3)
    for stock in range(12):
        assert sorted(neighbour_SK[stock]) == [other for other in range(stock % 3, 12, 3) if other != stock]
    assert (np.diff(correlation_SK, axis=1) <= 0).all()
    assert (correlation_SK > 0.5).all()


def test_correlations_agree_with_numpy_to_the_rounding_of_the_integers() -> None:
    returns_WS = _clustered()
    neighbour_SK, correlation_SK = graph.nearest(returns_WS, EVERYONE, 11)
    expected = np.corrcoef(returns_WS, rowvar=False)
    np.testing.assert_allclose(correlation_SK, np.take_along_axis(expected, neighbour_SK, axis=1), atol=1e-4)


def test_products_are_exact_integers_independent_of_column_order() -> None:
    returns_WS = _clustered()
    returns_WS[5, 2] = np.nan
    order = np.random.Generator(np.random.Philox(9)).permutation(12)
    neighbour_SK, correlation_SK = graph.nearest(returns_WS, EVERYONE, 4)
    permuted_SK, permuted_correlation_SK = graph.nearest(returns_WS[:, order], EVERYONE, 4)
    np.testing.assert_array_equal(order[permuted_SK], neighbour_SK[order])
    np.testing.assert_array_equal(permuted_correlation_SK, correlation_SK[order])


def test_correlations_equal_a_product_in_python_integers() -> None:
    returns_WS = _clustered(window=25)
    deviation_WS = returns_WS - returns_WS.mean(axis=0)
    whole_WS = np.rint(deviation_WS / np.abs(deviation_WS).max(axis=0) * 2**15).astype(int).tolist()
    columns = list(zip(*whole_WS, strict=True))

    def product(a: int, b: int) -> int:
        return sum(x * y for x, y in zip(columns[a], columns[b], strict=True))

    neighbour_SK, correlation_SK = graph.nearest(returns_WS, EVERYONE, 2)
    for stock in range(12):
        for place, other in enumerate(neighbour_SK[stock].tolist()):
            own, others = np.sqrt(product(stock, stock)), np.sqrt(product(other, other))
            assert correlation_SK[stock, place] == product(stock, other) / others / own


def test_blocks_of_rows_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = graph.nearest(_clustered(), EVERYONE, 3)
    monkeypatch.setattr(graph, "_ROWS_AT_ONCE", 5)
    for found, wanted in zip(graph.nearest(_clustered(), EVERYONE, 3), whole, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_equal_correlations_are_sorted_by_code() -> None:
    one = _clustered()[:, :1]
    neighbour_SK, _ = graph.nearest(np.repeat(one, 5, axis=1), np.ones(5, bool), 3)
    np.testing.assert_array_equal(neighbour_SK, [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2], [0, 1, 2]])


def test_absent_suspended_and_constant_stocks_have_no_edges() -> None:
    returns_WS = _clustered(window=20)
    returns_WS[:5, 1] = np.nan  # 15 returns of 20: too few
    returns_WS[:4, 2] = np.nan  # 16: enough
    returns_WS[:, 3] = 0.01
    present_S = EVERYONE.copy()
    present_S[4] = False
    neighbour_SK, correlation_SK = graph.nearest(returns_WS, present_S, 11)
    out = [1, 3, 4]
    assert (neighbour_SK[out] == -1).all()
    assert np.isnan(correlation_SK[out]).all()
    members = sorted(set(range(12)) - set(out))
    for stock in members:
        assert sorted(neighbour_SK[stock]) == [-1, -1, -1] + [other for other in members if other != stock]


def test_a_single_stock_has_no_neighbour() -> None:
    neighbour_SK, _ = graph.nearest(_clustered()[:, :1], np.ones(1, bool), 3)
    np.testing.assert_array_equal(neighbour_SK, [[-1, -1, -1]])


def test_graphs_start_at_the_first_session_with_a_full_window() -> None:
    assert list(graph.refreshes(38, Graph(window=20, neighbours=3, refresh=5))) == [20, 25, 30, 35]
    assert list(graph.refreshes(20, Graph(window=20, neighbours=3, refresh=5))) == []


def test_a_graph_uses_only_its_window(market: Market) -> None:
    params = Graph(window=20, neighbours=3, refresh=5)
    here = graph.edges(market, 60, params)
    draw = np.random.Generator(np.random.Philox(1))
    close_TS = market.close_TS.copy()
    close_TS[61:] *= draw.uniform(0.5, 2.0, close_TS[61:].shape)
    close_TS[:40] *= draw.uniform(0.5, 2.0, close_TS[:40].shape)
    assert graph.edges(replace(market, close_TS=close_TS), 60, params).equals(here)
    close_TS[40] *= draw.uniform(0.5, 2.0, close_TS[40].shape)
    assert not graph.edges(replace(market, close_TS=close_TS), 60, params).equals(here)


def test_edges_have_same_sector_and_same_segment(market: Market) -> None:
    edges = graph.edges(market, 60, Graph(window=20, neighbours=13, refresh=5))
    place = {code: n for n, code in enumerate(market.codes)}
    assert edges.height == 14 * 13
    for row in edges.iter_rows(named=True):
        stock, other = place[row["Code"]], place[row["Neighbour"]]
        assert row["SameSector"] == (stock % 3 == other % 3)
        assert row["SameSegment"] == (stock % 2 == other % 2)
    assert edges.sort("Code", "Rank").equals(edges)
    assert edges["Rank"].to_list() == list(range(1, 14)) * 14
