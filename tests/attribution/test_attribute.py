"""One table and four series, deterministic, and written as JSON and CSV without NaN in the JSON."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from gogooku3.attribution.attribute import attribute
from gogooku3.training.phases import PHASES


@pytest.fixture(scope="module")
def load_phase(network):
    return lambda phase: network(phase, opened=True)


@pytest.fixture(scope="module")
def found(load_phase, inputs, schema):
    steps: list[tuple[int, int]] = []
    made = attribute(
        load_phase,
        inputs,
        schema,
        [1],
        0,
        lambda _, done, of: steps.append((done, of)),
    )
    return made, steps


def test_every_step_reports_progress_once(found):
    _, steps = found
    assert [done for done, _ in steps] == list(range(len(steps)))
    assert {total for _, total in steps} == {len(steps)}


def test_the_table_says_what_of_what(found, known):
    table = found[0].table
    assert (table["split"], table["from"], table["to"]) == ("validation", "2024-01-27", "2024-02-15")
    assert {name: row["features"] for name, row in table["families"].items()} == {
        "signal": 1,
        "noise": 2,
        "other": 2,
        "calendar": 1,
    }
    losses = [row["loss"]["mean_rank_ic"]["value"] for row in table["families"].values()]
    assert losses == sorted(losses, reverse=True)
    assert sum(row["selection"] for row in table["families"].values()) == pytest.approx(1)
    assert [row["selection"] for row in table["features"]] == sorted(
        (row["selection"] for row in table["features"]), reverse=True
    )
    assert len(table["features"]) == len(known.features)
    assert sum(table["attention"]) == pytest.approx(1)
    neighbours = table["neighbours"]
    assert neighbours["own"] + sum(kind["attention"] for kind in neighbours["kinds"].values()) == pytest.approx(1)
    assert sum(kind["edges"] for kind in neighbours["kinds"].values()) == pytest.approx(1)
    assert json.loads(json.dumps(table, allow_nan=False)) == table


def test_the_series_are_those_of_the_table(found):
    table, frames = found[0].table, found[0].frames
    importance = frames["importance"]
    assert importance["family"].to_list() == [*table["families"], "everything"]
    assert importance["loss"][-1] == table["everything"]["mean_rank_ic"]["value"]
    selection = frames["selection"]
    assert selection["Month"].unique(maintain_order=True).to_list() == ["2024-01-01", "2024-02-01"]
    np.testing.assert_allclose(
        selection.group_by("Month").agg(pl.col("weight").sum())["weight"].to_numpy(), 1, rtol=1e-6
    )
    assert frames["attention"]["weight"].to_list() == table["attention"]
    rows = {tuple(key): (rank_ic, gain) for *key, _, rank_ic, gain, _, _ in frames["phases"].rows()}
    expected = {}
    for split in ("validation", "test"):
        for phase in list(PHASES)[1:]:
            row = table["phases"][split][phase]
            found_at = {h: (rank_ic, row["gain"]["rank_ic"][h]) for h, rank_ic in row["rank_ic"].items()}
            found_at["mean"] = (row["mean_rank_ic"], row["gain"]["mean_rank_ic"])
            expected |= {(split, phase, h): (ic["value"], gain["value"]) for h, (ic, gain) in found_at.items()}
    assert rows == expected


def test_the_same_model_gives_the_same_table(found, load_phase, inputs, schema):
    again = attribute(load_phase, inputs, schema, [1], 0, lambda *_: None)
    assert again.table == found[0].table
    assert all(frame.equals(found[0].frames[name]) for name, frame in again.frames.items())


def test_a_network_without_a_graph_has_no_neighbours_to_tell_of(skilled, inputs, schema):
    table = attribute(lambda _phase: skilled, inputs, schema, [1], 0, lambda *_: None).table
    assert table["neighbours"] is None
