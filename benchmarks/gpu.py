"""Tiers 1 and 2 trained as a whole on one GPU, twice, and how close their steps come to what the GPU can do.

    python benchmarks/gpu.py [--folder DIR] [--only PART …] [--limit SECONDS] [--size full] [--device cuda]
                             [--set KEY=VALUE …] [--out FILE]

Makes a synthetic market of 3,800 stocks and the dataset of tier 1 with the pipeline's stages (part `data`), measures
the GPU's `ceilings` and some `steps` of each phase, trains the 29 epochs of all phases (`train`), trains them `again`
and compares the bytes, kills a phase and compares what becomes of it (`resume`); then steps and both trainings of tier
2 on the same dataset (`tier2-steps`, `tier2-train`, `tier2-again`). Prints Markdown, and writes it to FILE.

Each part is made once in DIR (a temporary folder without one), and a call does those that are missing: where commands
are short, call it again and again with the same DIR. With `--limit` a call ends after so many seconds, and training
goes on in the next one from the state that was saved. `--size small --device cpu` shows in minutes that everything
works; its figures say nothing. Needs 25 GB of disk, and of memory what the panel takes on the GPU (8 GB).
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
from measures.market import composed
from measures.processes import environment
from steps.device_report import PHASES, markdown

from gogooku3.package.lineage import write_lineage

SIZES = {
    "full": ["quotes.stocks=3800"],
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
"""Of each phase that are measured part by part."""


class OutOfTimeError(Exception):
    """The call's time is up; what was made stays."""


class Place:
    """The folder in which everything is made, and how long a call may still work in it."""

    def __init__(self, folder: Path, overrides: list[str], ends: float) -> None:
        """
        Raises:
            SystemExit: what lies in the folder was made with other parameters.
        """
        self.folder, self.overrides, self.ends = folder, overrides, ends
        (folder / "found").mkdir(parents=True, exist_ok=True)
        params, told = folder / "params.yaml", self.composed()
        if params.exists() and params.read_text(encoding="utf-8") != told:
            raise SystemExit(f"{folder} holds what was made with other parameters, those in {params}; name another one")
        params.write_text(told, encoding="utf-8")

    def make(self, part: str, make: Callable[[], object]) -> None:
        """Makes a part that is missing, and keeps what was found."""
        found = self.folder / "found" / f"{part}.json"
        if not found.exists():
            print(f"{part} …", file=sys.stderr, flush=True)
            content = make()
            found.write_text(json.dumps(content, indent=2), encoding="utf-8")

    def found(self) -> dict[str, object]:
        """What was found of each part that is made."""
        files = sorted((self.folder / "found").glob("*.json"))
        return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}

    def project(self, name: str, tier: str = "tier1") -> Path:
        """A folder with parameters, the dataset that all share, and no model to start from."""
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
        """The parameters of a tier, with what is otherwise here."""
        return composed([f"tier={tier}", *self.overrides])

    def run(self, project: Path, *command: str, killed_after: float | None = None) -> float:
        """Runs this Python in a project; returns the seconds. Stopped, not killed, where the call's time is up.

        Raises:
            OutOfTimeError: it was stopped.
            SystemExit: it failed.
        """
        began = time.monotonic()
        wait = self.ends - began if killed_after is None else killed_after
        said = project / "said.txt"
        with said.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, *command], cwd=project, env=environment(), stdout=output, stderr=output
            )
            try:
                process.wait(max(wait, 0))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGTERM if killed_after is None else signal.SIGKILL)
                process.wait()
                if killed_after is None:
                    raise OutOfTimeError from None
                return time.monotonic() - began
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{said.read_text()}")
        return time.monotonic() - began


def data(place: Place) -> dict[str, object]:
    """Quotes and dataset: their seconds, and how much they are."""
    market = place.folder / "market"
    market.mkdir(exist_ok=True)
    (market / "params.yaml").write_text(place.composed(), encoding="utf-8")
    seconds = {stage: place.run(market, "-m", "gogooku3.stages", stage) for stage in ("quotes", "dataset")}
    return {"seconds": seconds, **size(market / "data/dataset")}


def size(dataset: Path) -> dict[str, int]:
    """Rows, stocks, sessions and features of a dataset, as its files hold them."""
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


def steps(place: Place, project: Path, number: int) -> dict[str, object]:
    """Some steps of each phase."""
    result, found = project / "steps.json", {}
    for phase in PHASES:
        place.run(project, "-m", "steps.on_device", phase, str(number), str(result))
        found[phase] = json.loads(result.read_text(encoding="utf-8"))
    return found


def train(place: Place, project: Path) -> dict[str, dict[str, float]]:
    """All phases; of each the seconds from the start of its stage to its end, the calls that took, and its epochs."""
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
    """All phases once more; which files differ."""
    return {"seconds": train(place, project), "differ": differing(first, project, PHASES)}


def resume(place: Place) -> dict[str, object]:
    """The first phase, killed in the middle; whether a state was there to go on from, and which files differ from those
    of the undisturbed one."""
    project, first = place.project("killed"), place.folder / "first"
    command = ("-m", "gogooku3.stages", "train", PHASES[0])
    killed = project / "killed.json"
    if not killed.exists():
        seconds = json.loads((first / "seconds.json").read_text(encoding="utf-8"))[PHASES[0]]["seconds"]
        place.run(project, *command, killed_after=seconds / 2)
        killed.write_text(json.dumps(any((project / f"models/.{PHASES[0]}.partial").glob("0*"))), encoding="utf-8")
    place.run(project, *command)
    return {"state": json.loads(killed.read_text(encoding="utf-8")), "differ": differing(first, project, PHASES[:1])}


def differing(one: Path, other: Path, phases: tuple[str, ...]) -> list[str]:
    """Files of the phases that two trainings do not have in common, byte for byte."""
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
    of_tier_2 = ("tier2-steps", "tier2-train", "tier2-again")
    parts = ("data", "ceilings", "steps", "train", "again", "resume", *of_tier_2)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", nargs="+", choices=parts, default=parts)
    parser.add_argument("--limit", type=float, default=float("inf"), help="seconds after which this call ends")
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="other parameters than tier 1's")
    parser.add_argument("--out", type=Path, help="write the figures there too")
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
            "steps": lambda: steps(place, place.project("first"), number),
            "train": lambda: train(place, place.project("first")),
            "again": lambda: again(place, place.project("first"), place.project("again")),
            "resume": lambda: resume(place),
            "tier2-steps": lambda: steps(place, place.project("tier2", "tier2"), number),
            "tier2-train": lambda: train(place, place.project("tier2", "tier2")),
            "tier2-again": lambda: again(place, place.project("tier2", "tier2"), place.project("tier2-again", "tier2")),
        }
        code = 0
        try:
            for part in parts:
                if part in options.only:
                    place.make(part, makers[part])
        except OutOfTimeError:
            print("the time is up; call again with the same --folder to go on", file=sys.stderr)
            code = 130
        text = markdown(place.found(), overrides)
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
