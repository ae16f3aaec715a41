"""Benchmark of training on one GPU: tiers 1 and 2, twice each, and the steps against the GPU's peak rates.

    python benchmarks/gpu.py [--folder DIR] [--only PART …] [--limit SECONDS] [--size full] [--device cuda]
                             [--set KEY=VALUE …] [--out FILE]

Makes a synthetic market of 3,800 stocks and the dataset of tier 1 with the pipeline's stages (part `data`), measures
the GPU's `ceilings`, compares the fused variable selection with the torch path (`selection`; on a CPU it says why not),
measures some `steps` of each phase, trains the 29 epochs of all phases (`train`), trains them `again` and compares the
bytes, kills a phase, resumes it and compares (`resume`); then steps and both trainings of tier 2 on the same dataset
(`tier2-steps`, `tier2-train`, `tier2-again`). Prints Markdown.

Each part runs once in DIR (by default a temporary folder); a call runs the missing parts. The result of each part is in
DIR/found as soon as it ends, and FILE has the Markdown of the parts so far. A part that fails is reported, the parts
that need it are skipped, and the others run. If the run time of a command is limited, call it repeatedly with the same
DIR. With `--limit` a call ends after this number of seconds, and the next one resumes training from the checkpoint.
`--size small --device cpu` is a smoke test of minutes; its figures mean nothing. Needs 25 GB of disk, and 8 GB of
memory for the panel on the GPU.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection
from pathlib import Path

import polars as pl
from measures.market import composed
from measures.processes import environment
from steps.device_report import PHASES, markdown

from gogooku3.package.lineage import write_lineage

SIZES = {
    "full": [],
    "small": [
        "quotes.stocks=40",
        "quotes.start=2021-01-04",
        "quotes.end=2022-11-30",
        "dataset.features=core",
        "dataset.graph.window=40",
        "dataset.split.train_from=2021-01-04",
        "dataset.split.validation_from=2022-07-15",
        "dataset.split.test_from=2022-09-30",
        "model.backbone.window=10",
        "model.backbone.hidden_size=16",
        "train.recipe.batch_size=160",
        "train.recipe.batch_stocks=20",
        *(f"train.phases.{phase}.epochs=1" for phase in PHASES),
    ],
}
STEPS = {"full": 30, "small": 3}
"""Measured steps per phase."""


_POLL = 0.02
"""Seconds between two looks at a running command."""
PARTS = (
    *("data", "ceilings", "selection", "steps", "train", "again", "resume"),
    *("tier2-steps", "tier2-train", "tier2-again"),
)
NEEDS = {"again": "train", "resume": "train", "tier2-again": "tier2-train"}
"""The part whose outputs a part compares with its own; every part but `ceilings` and `selection` also needs `data`."""


class OutOfTimeError(Exception):
    """The time limit of the call is reached; finished parts are kept."""


class Place:
    """The working folder, and the deadline of the call."""

    def __init__(self, folder: Path, overrides: list[str], ends: float) -> None:
        """
        Raises:
            SystemExit: the folder has results of other parameters.
        """
        self.folder, self.overrides, self.ends = folder, overrides, ends
        (folder / "found").mkdir(parents=True, exist_ok=True)
        params, text = folder / "params.yaml", self.composed()
        if params.exists() and params.read_text(encoding="utf-8") != text:
            raise SystemExit(f"{folder} has results of other parameters, those in {params}; use another folder")
        params.write_text(text, encoding="utf-8")

    def make(self, part: str, make: Callable[[], object]) -> None:
        """Runs a part if its result is missing, and saves the result."""
        found = self.folder / "found" / f"{part}.json"
        if not found.exists():
            print(f"{part} …", file=sys.stderr, flush=True)
            content = make()
            found.write_text(json.dumps(content, indent=2), encoding="utf-8")

    def found(self) -> dict[str, object]:
        """The results of the finished parts."""
        files = sorted((self.folder / "found").glob("*.json"))
        return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}

    def project(self, name: str, tier: str = "tier1") -> Path:
        """A folder with parameters, the shared dataset, and no base model."""
        project, shared = self.folder / name, self.folder / "market/data"
        if not project.exists():
            for folder in (project / "data", project / "models/parent", shared / ".dataset.panel"):
                folder.mkdir(parents=True, exist_ok=True)
            for link in ("dataset", ".dataset.panel"):
                (project / "data" / link).symlink_to(shared / link)
            write_lineage(None, project / "models/parent")
            (project / "params.yaml").write_text(self.composed(tier), encoding="utf-8")
        return project

    def composed(self, tier: str = "tier1") -> str:
        """The parameters of a tier with the overrides."""
        return composed([f"tier={tier}", *self.overrides])

    def run(self, project: Path, *command: str, killed_when: Callable[[], bool] | None = None) -> float:
        """Runs this Python in a project; returns the seconds. At the deadline it is stopped with SIGTERM.

        Args:
            killed_when: when it is true, the process is killed with SIGKILL.

        Raises:
            OutOfTimeError: it was stopped.
            SystemExit: it failed.
        """
        began = time.monotonic()
        log = project / "output.txt"
        with log.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, *command], cwd=project, env=environment(), stdout=output, stderr=output
            )
            while process.poll() is None:
                if killed_when is not None and killed_when():
                    process.kill()
                    process.wait()
                    return time.monotonic() - began
                if time.monotonic() >= self.ends:
                    process.send_signal(signal.SIGTERM)
                    process.wait()
                    raise OutOfTimeError
                time.sleep(_POLL)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{log.read_text()}")
        return time.monotonic() - began


def data(place: Place) -> dict[str, object]:
    """Builds quotes and dataset: seconds and size."""
    market = place.folder / "market"
    market.mkdir(exist_ok=True)
    (market / "params.yaml").write_text(place.composed(), encoding="utf-8")
    seconds = {stage: place.run(market, "-m", "gogooku3.stages", stage) for stage in ("quotes", "dataset")}
    return {"seconds": seconds, **size(market / "data/dataset")}


def size(dataset: Path) -> dict[str, int]:
    """Rows, stocks, sessions and features of a dataset."""
    rows = pl.scan_parquet(dataset / "features/*.parquet")
    counted = rows.select(
        pl.len().alias("rows"), pl.col("Code").n_unique().alias("stocks"), pl.col("Date").n_unique().alias("sessions")
    )
    features = json.loads((dataset / "schema.json").read_text(encoding="utf-8"))["features"]
    return {**counted.collect().row(0, named=True), "features": len(features)}


def ceilings(place: Place, device: str) -> object:
    result = place.folder / "ceilings.json"
    place.run(place.folder, "-m", "steps.ceilings", device, str(result))
    return json.loads(result.read_text(encoding="utf-8"))


def selection(place: Place, device: str) -> object:
    """Compares the fused variable selection with the torch path."""
    result = place.folder / "selection.json"
    place.run(place.folder, "-m", "steps.selection", device, str(result))
    return json.loads(result.read_text(encoding="utf-8"))


def steps(place: Place, project: Path, number: int) -> dict[str, object]:
    """Measures some steps of each phase."""
    result, found = project / "steps.json", {}
    for phase in PHASES:
        place.run(project, "-m", "steps.on_device", phase, str(number), str(result))
        found[phase] = json.loads(result.read_text(encoding="utf-8"))
    return found


def train(place: Place, project: Path) -> dict[str, dict[str, float]]:
    """Trains all phases; returns wall seconds, number of calls and epochs of each."""
    record = project / "seconds.json"
    taken = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    histories = {phase: project / "models" / phase / "history.json" for phase in PHASES}
    for phase, history in histories.items():
        if history.exists():
            continue
        before = taken.get(phase, {"seconds": 0.0, "calls": 0})
        began = time.monotonic()
        try:
            place.run(project, "-m", "gogooku3.stages", "train", phase)
        finally:
            taken[phase] = {"seconds": before["seconds"] + time.monotonic() - began, "calls": before["calls"] + 1}
            record.write_text(json.dumps(taken), encoding="utf-8")
    for phase, found in taken.items():
        found["epochs"] = len(json.loads(histories[phase].read_text(encoding="utf-8"))["epochs"])
    return taken


def again(place: Place, first: Path, project: Path) -> dict[str, object]:
    """Trains all phases again; lists the files that differ."""
    return {"seconds": train(place, project), "differ": differing(first, project, PHASES)}


def resume(place: Place) -> dict[str, object]:
    """Kills the first phase after its second checkpoint and resumes it: whether it was killed before its end, and which
    files differ from those of the uninterrupted training."""
    project, first = place.project("killed"), place.folder / "first"
    command = ("-m", "gogooku3.stages", "train", PHASES[0])
    killed, checkpoints = project / "killed.json", project / f"models/.{PHASES[0]}.partial"
    if not killed.exists():
        place.run(project, *command, killed_when=lambda: len(list(checkpoints.glob("0*"))) > 1)
        killed.write_text(json.dumps(checkpoints.exists()), encoding="utf-8")
    place.run(project, *command)
    return {"state": json.loads(killed.read_text(encoding="utf-8")), "differ": differing(first, project, PHASES[:1])}


def differing(one: Path, other: Path, phases: tuple[str, ...]) -> list[str]:
    """Files of the phases that are not bitwise identical in both trainings."""
    names = {
        str(file.relative_to(each))
        for each in (one, other)
        for phase in phases
        for file in (each / "models" / phase).glob("*.*")
    }
    return sorted(name for name in names if _bytes(one / name) != _bytes(other / name))


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--limit", type=float, default=float("inf"), help="seconds after which this call ends")
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="overrides of tier 1's parameters")
    parser.add_argument("--out", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    numerics = [f"numerics.device={options.device}", "numerics.instruction_set=native"]
    overrides = [*numerics, *SIZES[options.size], *options.set]
    ends = time.monotonic() + options.limit
    with tempfile.TemporaryDirectory() as temporary:
        place = Place((options.folder or Path(temporary)).resolve(), overrides, ends)
        number = STEPS[options.size]
        makers: dict[str, Callable[[], object]] = {
            "data": lambda: data(place),
            "ceilings": lambda: ceilings(place, options.device),
            "selection": lambda: selection(place, options.device),
            "steps": lambda: steps(place, place.project("first"), number),
            "train": lambda: train(place, place.project("first")),
            "again": lambda: again(place, place.project("first"), place.project("again")),
            "resume": lambda: resume(place),
            "tier2-steps": lambda: steps(place, place.project("tier2", "tier2"), number),
            "tier2-train": lambda: train(place, place.project("tier2", "tier2")),
            "tier2-again": lambda: again(place, place.project("tier2", "tier2"), place.project("tier2-again", "tier2")),
        }

        def report() -> str:
            """The document of the parts so far, which is also written to the file."""
            text = markdown(place.found(), overrides)
            if options.out:
                options.out.write_text(text, encoding="utf-8")
            return text

        code = 0
        for part in (part for part in PARTS if part in options.only):
            if missing := missing_for(part, place.found()):
                print(f"{part} needs {missing}, which has no result", file=sys.stderr)
                code = 1
                continue
            try:
                place.make(part, makers[part])
            except OutOfTimeError:
                print("time limit reached; call again with the same --folder to resume", file=sys.stderr)
                code = 130
                break
            except (SystemExit, Exception) as failure:  # the other parts need no result of this one
                print(f"{part} failed: {type(failure).__name__}: {failure}", file=sys.stderr, flush=True)
                code = 1
            report()
        print(report())
    return code


def missing_for(part: str, found: Collection[str]) -> str:
    """The part that a part needs and that has no result; empty if there is none."""
    needed = [] if part in ("data", "ceilings", "selection") else ["data", *filter(None, [NEEDS.get(part)])]
    return next((each for each in needed if each not in found), "")


if __name__ == "__main__":
    sys.exit(main())
