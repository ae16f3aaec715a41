"""Process groups over several machines: which GPU a process takes, and what is refused at the start."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from gogooku3.config import Params
from gogooku3.errors import ConfigError, MachineError
from gogooku3.training import distributed
from gogooku3.training.distributed import process_group


def test_a_process_takes_the_gpu_with_its_number_on_its_machine(monkeypatch: pytest.MonkeyPatch, demo: Params) -> None:
    """With eight devices in place of those that are not here: the thirteenth of sixteen processes takes the fifth."""
    selected: list[int] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    monkeypatch.setattr(torch.cuda, "set_device", selected.append)
    sixteen = replace(demo.numerics, device="cuda", processes=16, shares=16)
    distributed._select_gpu(sixteen, local_rank=4, local_processes=8)
    assert selected == [4]
    with pytest.raises(MachineError, match=r"runs 9 of the 16 processes .* but torch finds 8 GPUs"):
        distributed._select_gpu(sixteen, local_rank=8, local_processes=9)


@pytest.mark.parametrize(("started", "wanted"), [("2", 1), ("2", 4), ("1", 2)])
def test_another_number_of_processes_than_that_of_the_parameters_is_refused(
    started: str, wanted: int, monkeypatch: pytest.MonkeyPatch, demo: Params
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "run")
    monkeypatch.setenv("WORLD_SIZE", started)
    with (
        pytest.raises(ConfigError, match=f"started {started} processes, but `numerics.processes` is {wanted}"),
        process_group(replace(demo.numerics, processes=wanted, shares=wanted)),
    ):
        pass
