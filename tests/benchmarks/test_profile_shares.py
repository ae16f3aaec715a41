"""Profile of a dataset build: every function that the benchmark names exists and is called."""

from __future__ import annotations

import cProfile

import pytest
from measures.shares import Profile, shares

from gogooku3.assembly.build import build

from ..assembly.conftest import random_frames, small_params


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Profile:
    """The profile of a small build."""
    folder = tmp_path_factory.mktemp("profile")
    frames = random_frames()
    profiler = cProfile.Profile()
    profiler.runcall(build, frames.history(), small_params(), folder / "dataset")
    profiler.dump_stats(folder / "dataset.profile")
    return Profile(folder / "dataset.profile")


def test_every_part_has_a_share_and_they_add_up_to_one(profile: Profile) -> None:
    found = shares(profile)
    assert sum(found.values()) == pytest.approx(1.0)
    del found["starting Python"]  # this process is running already
    assert {part: share for part, share in found.items() if share <= 0} == {}


@pytest.mark.parametrize(
    ("module", "function", "caller"),
    [
        ("dataset/build", "build", None),
        ("assembly/build", "_preprocess", None),
        ("runtime/files", "write_parquet", "no_such_caller"),
    ],
)
def test_a_function_that_the_profile_does_not_have_is_an_error(
    profile: Profile, module: str, function: str, caller: str | None
) -> None:
    with pytest.raises(LookupError, match=f"no call of `{function}` in `gogooku3/{module}.py`"):
        profile.seconds(module, function, caller)
