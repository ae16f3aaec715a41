"""A phase is measured with its own weights, and its gain against the previous phase."""

from __future__ import annotations

import pytest

from gogooku3.attribution.phases import gains
from gogooku3.model.scoring import join
from gogooku3.training.phases import PHASES
from gogooku3.training.validation import validate

FIRST, *CLOSED, LAST = PHASES


@pytest.fixture
def load_phase(network, skilled):
    """A trained baseline phase, then phases with closed gates, and a last one with open gates."""
    made = {name: network(name, opened=name == LAST) for name in (*CLOSED, LAST)}
    for phase in made.values():
        phase.load_state_dict({**phase.state_dict(), **skilled.state_dict()})
    return (made | {FIRST: skilled}).__getitem__


def test_phases_are_measured_one_against_the_one_before(load_phase, inputs, skilled):
    steps: list[str] = []
    table = gains(load_phase, inputs, [1], steps.append)
    assert steps == [f"phase {name}" for name in PHASES]
    for split, phases in table.items():
        expected = validate(skilled, inputs, split, [1.0] * len(inputs.panel.horizons)).rank_ic_by_horizon
        for horizon, value in expected.items():
            assert phases[FIRST]["rank_ic"][horizon]["value"] == pytest.approx(value, rel=1e-12)
        assert phases[FIRST]["gain"] is None
        for closed in CLOSED:
            assert phases[closed]["gain"]["mean_rank_ic"] == {"value": 0.0, "low": 0.0, "high": 0.0}
        gain = phases[LAST]["gain"]["mean_rank_ic"]
        change = phases[LAST]["mean_rank_ic"]["value"] - phases[CLOSED[-1]]["mean_rank_ic"]["value"]
        assert gain["value"] == pytest.approx(change)
        assert gain["value"] != 0
    assert list(table) == ["validation", "test"]


def test_the_gain_of_an_ensemble_is_given_for_each_of_its_members_too(load_phase, inputs, network):
    def load_both(phase):
        return join([load_phase(phase), network(phase, opened=True, seed=2).eval()], inputs)

    seeds = [1, 7]
    table = gains(load_both, inputs, seeds, lambda _: None)
    alone = gains(load_phase, inputs, [1], lambda _: None)
    for split in ("validation", "test"):
        assert "seeds" not in table[split][FIRST]
        members = table[split][LAST]["seeds"]
        assert [member.pop("seed") for member in members] == seeds
        assert members[0] == alone[split][LAST]["gain"]
        assert members[1] != members[0]
        assert table[split][LAST]["gain"] not in members
        assert "seeds" not in alone[split][LAST]
