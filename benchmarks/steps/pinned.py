"""Runs a module with pinned numerics: `python -m steps.pinned INSTRUCTION_SET THREADS MODULE ARGUMENT …`.

As in the pipeline's stages, the numerics are pinned before PyTorch loads, and PyTorch is made deterministic before the
module starts.
"""

from __future__ import annotations

import runpy
import sys

from gogooku3.config.numerics import Numerics
from gogooku3.runtime import numerics


def main(instruction_set: str, threads: str, module: str, *arguments: str) -> None:
    pinned = Numerics("cpu", int(threads), instruction_set, "float32", processes=1, shares=1, reduction="fixed")
    numerics.pin(pinned)
    numerics.prepare_torch(pinned)
    sys.argv[1:] = arguments
    runpy.run_module(module, run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
