"""Permuting used features loses RankIC; permuting unread ones changes no bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gogooku3.attribution.importance import Importance, families
from gogooku3.attribution.rank_ic_series import score_change

NOTHING = {"value": 0.0, "low": 0.0, "high": 0.0}


def test_the_family_that_carries_the_skill_is_missed_and_the_others_are_not(skilled, inputs, schema):
    importance = Importance(skilled, inputs, "validation", 0)
    losses = {name: importance.of_features(columns, name) for name, columns in families(schema).items()}
    whole = importance.unperturbed()["mean_rank_ic"]["value"]
    assert whole > 0.3
    signal = losses.pop("signal")["mean_rank_ic"]
    assert signal["low"] > 0.15
    for loss in losses.values():
        assert loss["mean_rank_ic"]["low"] <= 0 <= loss["mean_rank_ic"]["high"]
        assert loss["mean_rank_ic"]["value"] < signal["value"] / 4
    everything = importance.of_features(schema.features, "everything")["mean_rank_ic"]
    # 20 sessions of 12 stocks: the standard deviation of a chance RankIC is 1 / sqrt(20 * 11) = 0.07.
    assert abs(everything["value"] - whole) < 0.25


def test_a_feature_that_the_network_cannot_read_has_a_loss_of_exactly_zero(network, inputs, schema):
    made = network("finetune", opened=True)
    selection = made.selection
    with torch.no_grad():
        for place in (3, 4):  # family `other`
            selection.networks.embedding_F3H[place] = 0.0
            for layer in (selection.hidden, selection.skip):
                layer.weight[:, [place, place + 6]] = 0.0
    importance = Importance(made, inputs, "validation", 0)
    members = families(schema)
    assert members.keys() == {"signal", "noise", "other", "calendar"}
    assert importance.of_features(members["other"], "other")["mean_rank_ic"] == NOTHING
    for name in ("signal", "calendar"):
        assert importance.of_features(members[name], name)["mean_rank_ic"] != NOTHING


def test_a_network_that_ignores_its_neighbours_is_not_influenced_by_them(network, inputs):
    for name, opened in (("deaf", False), ("open", True)):
        table = Importance(network("gat", opened=opened), inputs, "validation", 0).of_neighbours(lambda _: None)
        for way in ("emptied", "permuted"):
            ignored = table[way]["score_change"] == 0.0 and table[way]["loss"]["mean_rank_ic"] == NOTHING
            assert ignored == (name == "deaf"), (name, way)


def test_draws_depend_on_the_name_and_not_on_earlier_draws(skilled, inputs, schema):
    columns = families(schema)["signal"]
    one, two = (Importance(skilled, inputs, "validation", 0) for _ in range(2))
    two.of_features(columns, "before")
    assert one.of_features(columns, "signal") == two.of_features(columns, "signal")
    assert one.of_features(columns, "signal") != one.of_features(columns, "another")


def test_a_change_of_scores_is_measured_by_their_own_deviation():
    scores = np.array([[[0.0], [2.0]], [[1.0], [5.0]], [[np.nan], [3.0]]], np.float32)
    assert score_change(scores, scores + 7) == pytest.approx(0, abs=1e-6)
    turned = np.array([[[2.0], [0.0]], [[1.0], [5.0]], [[np.nan], [3.0]]], np.float32)
    assert score_change(scores, turned) == pytest.approx((2 + 0) / 2)
