"""Prints the numerics probe of this machine as a row for `src/gogooku3/known_probes.json`.

    python benchmarks/probe.py [--instruction-set portable] [--device cpu] [--threads 2] [--precision float32]

Prints JSON, and the run time on stderr. It starts no other process, so that a prefix such as
`qemu-x86_64 -cpu Haswell` or `taskset -c 0` applies to the whole computation.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import get_args

from gogooku3.config.numerics import Numerics, Precision
from gogooku3.runtime import numerics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instruction-set", choices=["portable", "avx2", "native"], default="portable")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=get_args(Precision), default="float32")
    options = parser.parse_args()
    wanted = Numerics(options.device, options.threads, options.instruction_set, options.precision, 1, 1, "fixed")
    # The libraries read these settings when they load.
    numerics.pin(wanted)
    from gogooku3.model import probe

    numerics.prepare_torch(wanted)
    began = time.monotonic()
    value = probe.probe(wanted)
    print(f"{time.monotonic() - began:.2f} s", file=sys.stderr)
    print(json.dumps(probe.domain_key(wanted) | {"probe": value}))


if __name__ == "__main__":
    main()
