"""The learning rate rises, then stays or falls along half a cosine."""

from __future__ import annotations

import math

import pytest

from gogooku3.config.train import Schedule
from gogooku3.training.schedule import _cosine_of_half_turns, rate_factor


def factors(schedule: Schedule, steps: int) -> list[float]:
    return [rate_factor(schedule, step, steps) for step in range(steps)]


def test_without_warmup_a_constant_rate_is_the_rate() -> None:
    assert factors(Schedule(0.0, "constant", 1.0), 5) == [1.0] * 5


def test_the_rate_rises_linearly_and_then_falls_to_the_last() -> None:
    found = factors(Schedule(0.2, "cosine", 0.1), 10)
    assert found[:3] == [0.5, 1.0, 1.0]
    assert found[-1] == pytest.approx(0.1)
    assert found[3:] == sorted(found[3:], reverse=True)
    assert found[5] == pytest.approx(0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * 3 / 7)))


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_phase_of_few_steps_has_a_rate(steps: int) -> None:
    assert all(0 < factor <= 1 for factor in factors(Schedule(0.5, "cosine", 0.1), steps))


def test_the_cosine_is_that_of_the_library_to_the_last_digits() -> None:
    for number in range(1001):
        assert _cosine_of_half_turns(number / 1000) == pytest.approx(math.cos(math.pi * number / 1000), abs=1e-15)
