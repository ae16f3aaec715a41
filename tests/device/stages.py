"""Runs stages on a device in the current folder: `python tests/device/stages.py DEVICE "STAGE ARGUMENT…" …`.

DEVICE is `cpu` or `second`, which `params.yaml` cannot name: what `prepare` returns to a stage is
replaced, and printed.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from gogooku3 import config
from gogooku3.runtime import numerics

PARAMS = config.load()
numerics.pin(PARAMS.numerics)

import torch  # noqa: E402

from gogooku3.model import feature_networks, probe  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent))


def on_second_device() -> None:
    """Every stage that is imported from here on gets the second device."""
    from second import second_device

    device, prepare = second_device(), probe.prepare

    def prepared(wanted: config.numerics.Numerics) -> torch.device:
        prepare(wanted)
        print(device)  # noqa: T201
        return device

    feature_networks._TILE_ELEMENTS[device.type] = feature_networks._TILE_ELEMENTS["cpu"]
    probe.prepare = prepared


if __name__ == "__main__":
    name, *commands = sys.argv[1:]
    if name == "second":
        on_second_device()
    for command in commands:
        stage, *arguments = command.split()
        import_module(f"gogooku3.stages.{stage}").run(PARAMS, *arguments)
