"""The exactness matrix: under which changed conditions the results stay bitwise identical, tested by real runs.

    python benchmarks/exactness.py [--only pipeline libraries together kills processors processes gpu costs]
        [--kills 25] [--seed 0] [--chroots FOLDER] [--out benchmarks/results/exactness-YEAR-MONTH-DAY.md] [--json FILE]

Runs the pipeline at a small size in a clone of this repository, repeats it under other conditions, and compares every
output file. Exits with 1 if a row differs for which the numerics domain promises equal bytes (`numerics`: the same
parameters, versions and device give the same bytes); excluded conditions are run too, to show why they are excluded.
Rows that cannot run on this machine are reported (they need `qemu-x86_64` of Debian's qemu-user, a CUDA device, more
cores, user namespaces; for another C library debootstrap, a mirror of Debian and root). Chroots with other C libraries
are kept for the next run; remove them to get newer ones. The last part measures the cost of `portable` and `avx2`: the
time of a training step by instruction set. Only this part needs an idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from measures.chroot import CHROOTS, RELEASES, Chroot
from measures.clone import BIN, PHASES, Place, tell
from measures.disturbed import kill, out_of_disk, truncate_newest
from measures.document import processor
from measures.matrix import Row, markdown

SOURCE = Path(__file__).resolve().parents[1]

LAST = "finetune"
"""The phase that uses every block of the network."""
OUTPUTS = ("data", "models", "metrics", "plots", "dvc.lock")
OTHER_USER = ("unshare", "--user", "--map-user=1234", "--map-group=1234")
"""Command prefix: runs as another user."""
VARIABLES = {
    "time zone": {"TZ": "Pacific/Chatham"},
    "locale": {"LC_ALL": "C", "LANG": "C"},
    "PYTHONHASHSEED": {"PYTHONHASHSEED": "123"},
}
"""Environment variables that must not change the results."""
PROCESSORS = {"Haswell": "GenuineIntel", "Skylake-Client": "GenuineIntel", "EPYC": "AuthenticAMD"}
"""Processors that qemu emulates, none with AVX-512, with their vendors."""
NO_QEMU = "no qemu-x86_64"
NO_CHOICE = f"only {len(os.sched_getaffinity(0))} cores here, or no `taskset`"

STEP = """
import json, sys, time
from pathlib import Path
from gogooku3 import config
from gogooku3.runtime import numerics
from gogooku3.config.numerics import Numerics
wanted = Numerics("cpu", 2, sys.argv[1], "float32", 1, 1, "fixed")
numerics.pin(wanted)
import numpy as np, torch
from gogooku3.model.network import Network
from gogooku3.training.optimizer import adamw
from gogooku3.training.phases import PHASES
numerics.prepare_torch(wanted)
params = config.load(Path(sys.argv[2]))
model = params.model
network = Network(PHASES["finetune"].architecture("0" * 64, 99, [1, 5, 10, 20], model), seed=1)
optimizer = adamw(network, params.train.phases.finetune, params.train.recipe, ())
sessions, stocks, neighbours = 16, 64, 8
draw = numerics.generator("exactness")
x_ZSF = torch.from_numpy(draw.standard_normal((sessions + model.backbone.window - 1, stocks, 99)).astype(np.float32))
neighbours_DSK = torch.from_numpy(draw.integers(0, stocks, (sessions, stocks, neighbours)))
edges_DSKE = torch.ones(sessions, stocks, neighbours, 3)
times = []
for step in range(int(sys.argv[3])):
    began = time.perf_counter()
    optimizer.zero_grad()
    network(x_ZSF, neighbours_DSK, edges_DSKE).square().mean().backward()
    optimizer.step()
    times.append(time.perf_counter() - began)
print(json.dumps(times[1:]))
"""


class Matrix:
    """Runs rows and compares their outputs with those of an undisturbed run."""

    def __init__(self, undisturbed: Place, work: Path) -> None:
        self.undisturbed, self.work = undisturbed, work
        self.outputs = undisturbed.bytes(*OUTPUTS)
        self.domain = undisturbed.domain(LAST)
        self.rows: list[Row] = []

    def place(self, name: str) -> Place:
        return self.undisturbed.copy(self.work / name / "gogooku3")

    def add(
        self,
        name: str,
        actual: dict[str, bytes],
        expected: dict[str, bytes],
        *,
        domain: str = "",
        excluded: str = "",
        note: str = "",
    ) -> None:
        """Adds a row that compares output files with the expected ones.

        Args:
            domain: numerics domain in which equal bytes are promised; by default that of the undisturbed run.
            excluded: why the domain promises nothing.
        """
        differing = [file for file in actual.keys() | expected.keys() if actual.get(file) != expected.get(file)]
        count = len(expected)
        outcome = f"{count} files, the same bytes" if not differing else f"{len(differing)} of {count} differ"
        if differing and not excluded:
            outcome += f": {', '.join(sorted(differing)[:4])}"
        scope = f"not promised: {excluded}" if excluded else domain or self.domain
        row = Row(name, outcome + note, scope, not excluded, not differing)
        self.rows.append(row)
        tell(f"{row.row}: {row.outcome}")

    def again(self, name: str, *before: str, note: str = "", **variables: str) -> None:
        """Reruns the full pipeline from scratch, optionally behind a command prefix, and adds the row."""
        place = self.place(name)
        place.forget()
        place.run(*before, "dvc", "repro", "--force", **variables)
        self.add(name, place.bytes(*OUTPUTS), self.outputs, note=note)

    def skip(self, name: str, reason: str, domain: str = "") -> None:
        """Adds a row that cannot run here."""
        self.rows.append(Row(name, reason, domain or self.domain, True, None))
        tell(f"{name}: not run: {reason}")


def undisturbed_run(work: Path) -> Place:
    """A clone with one run of the pipeline, its results committed."""
    place = Place(work / "undisturbed" / "gogooku3")
    place.folder.parent.mkdir()
    subprocess.run(["git", "clone", "--quiet", str(SOURCE), str(place.folder)], check=True)
    for setting in (("user.name", "Benchmark"), ("user.email", "benchmark@example.com")):
        place.run("git", "config", *setting)
    place.run("dvc", "remote", "modify", "--local", "store", "url", str(work / "bucket"))
    place.compose()
    place.run("dvc", "repro")
    place.run("git", "add", "--all")
    place.run("git", "commit", "--quiet", "--message", "A small experiment")
    return place


def pipeline(matrix: Matrix) -> None:
    """The full pipeline: rerun, other numbers of cores, another folder, another user, a fresh clone."""
    matrix.again("rerun")
    for cores in (1, 2, 4):
        name = f"{cores} core{'s' * (cores > 1)}"
        on = on_cores(cores)
        if on:
            matrix.again(name, *on)
        else:
            matrix.skip(name, NO_CHOICE)
    for name, variables in VARIABLES.items():
        matrix.again(f"another {name}", **variables)
    matrix.again("a folder with spaces, ümläuts and a long path, " + "x" * 100)
    if subprocess.run([*OTHER_USER, "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        matrix.skip("another user", "no user namespaces here (`unshare --user`)")
    else:
        home = matrix.work / "a home of spaces"
        home.mkdir()
        matrix.again("another user", *OTHER_USER, USER="somebody", LOGNAME="somebody", HOME=str(home))

    clone = Place(matrix.work / "fresh clone" / "gogooku3")
    clone.folder.parent.mkdir()
    subprocess.run(["git", "clone", "--quiet", str(matrix.undisturbed.folder), str(clone.folder)], check=True)
    clone.run("dvc", "repro")
    matrix.add("fresh clone", clone.bytes(*OUTPUTS), matrix.outputs)


def on_cores(number: int) -> tuple[str, ...]:
    """Command prefix that limits a command to this number of cores; empty if that is not possible."""
    available = sorted(os.sched_getaffinity(0))
    if shutil.which("taskset") is None or number > len(available):
        return ()
    return ("taskset", "--cpu-list", ",".join(map(str, available[:number])))


def libraries(matrix: Matrix, chroots: list[Chroot]) -> None:
    """The full pipeline on other C libraries, with the same Python and wheels; a release with this machine's C library
    is the control: the chroot itself changes nothing."""
    for chroot in chroots:
        name = f"Debian {chroot.release}"
        reason = chroot.prepare()
        if reason:
            matrix.skip(name, reason)
        else:
            matrix.again(name, *chroot.enter(matrix.work), note=f"; {chroot.library}")
    matrix.skip("musl", "torch, LightGBM, scikit-learn and vl-convert have no wheels for musl")


def together(matrix: Matrix, chroots: list[Chroot]) -> None:
    """Several conditions at once: their combination could change results that each alone does not."""
    one_core, qemu, emulated = on_cores(1), shutil.which("qemu-x86_64"), next(iter(PROCESSORS))
    everything = f"1 core, another {', '.join(VARIABLES)}, a folder with spaces and ümläuts"
    variables = {name: value for each in VARIABLES.values() for name, value in each.items()}
    if one_core:
        matrix.again(everything, *one_core, **variables)
    else:
        matrix.skip(everything, NO_CHOICE)
    here = last_phase(matrix, "here", {}) if qemu else {}
    for chroot in chroots:
        debian, reason = f"Debian {chroot.release}", chroot.prepare()
        if chroot.library == " ".join(platform.libc_ver()):
            continue  # same C library as here
        for name, other in ((f"{debian}, 1 core", {}), (f"{debian}, {everything}", variables)):
            if reason or not one_core:
                matrix.skip(name, reason or NO_CHOICE)
            else:
                matrix.again(name, *one_core, *chroot.enter(matrix.work), note=f"; {chroot.library}", **other)
        name = f"{debian}, portable on {emulated}"
        if reason or qemu is None:
            matrix.skip(name, reason or NO_QEMU)
        else:
            # With -L the emulator prefers files of the chroot, including the loader and the C library.
            found = last_phase(matrix, name, {}, qemu, "-cpu", emulated, "-L", str(chroot.root))
            matrix.add(name, found, here, note=f"; {chroot.library}")


TRAINING_OUTPUTS = (*(f"models/{phase}" for phase in PHASES), "plots/training")


def killed(matrix: Matrix, number: int, seed: int) -> None:
    """All phases, killed and resumed; the last one also with a truncated newest checkpoint, and out of disk."""

    def add(name: str, disturb: Callable[[Place], int]) -> None:
        place = matrix.place(name)
        checkpoints = disturb(place)
        matrix.add(
            name,
            place.bytes(*TRAINING_OUTPUTS),
            matrix.undisturbed.bytes(*TRAINING_OUTPUTS),
            note=_checkpoint_note(checkpoints),
        )

    add(f"killed {number} times", lambda place: kill(place, number, seed))
    add("killed, newest checkpoint truncated", lambda place: truncate_newest(place, LAST))
    add("out of disk in the middle", lambda place: out_of_disk(place, LAST))


def _checkpoint_note(times: int) -> str:
    return f"; resumed from a checkpoint: {times}"


def last_phase(matrix: Matrix, name: str, settings: dict[str, object], *before: str) -> dict[str, bytes]:
    """Trains the last phase and packages it, with other settings or under an emulator; returns the output files."""
    place = matrix.place(name)
    place.compose(**{f"train.phases.{LAST}.epochs": 1}, **settings)
    place.train(LAST, *before)
    place.run(*before, str(BIN / "python"), "src/gogooku3", "stages", "package")
    weights = [f"models/{LAST}/{each}.safetensors" for each in ("model", "state")]
    return place.bytes(*weights, "models/package/golden")


def processors(matrix: Matrix) -> None:
    """The last phase by instruction set, on this and on emulated processors."""
    sets = ("portable", "avx2", "native")
    here = {each: last_phase(matrix, each, {"numerics.instruction_set": each}) for each in sets}
    domains = {each: Place(matrix.work / each / "gogooku3").domain(LAST) for each in sets}
    threads = last_phase(matrix, "threads", {"numerics.threads": 1})
    matrix.add("1 thread", threads, here["portable"], excluded="another `numerics.threads`")
    qemu = shutil.which("qemu-x86_64")
    vendor = processor("vendor_id")
    for model, model_vendor in PROCESSORS.items():
        reasons = {
            "portable": "",
            "avx2": "" if model_vendor == vendor else "another vendor",
            "native": "another model of processor",
        }
        for each, excluded in reasons.items():
            name = f"{each} on {model}"
            if qemu is None:
                matrix.skip(name, NO_QEMU, domains[each])
                continue
            found = last_phase(matrix, name, {"numerics.instruction_set": each}, qemu, "-cpu", model)
            matrix.add(name, found, here[each], domain=domains[each], excluded=excluded)


def processes(matrix: Matrix) -> None:
    """The last phase in shards, with world size 1 and more (data parallel)."""
    shares = {"numerics.shares": 4}
    one = last_phase(matrix, "4 shares", shares)
    for count in (2, 4):
        found = last_phase(matrix, f"{count} processes", shares | {"numerics.processes": count})
        matrix.add(f"4 shares by {count} processes", found, one)
    fast = shares | {"numerics.processes": 2, "numerics.reduction": "fast"}
    first, again = (last_phase(matrix, name, fast) for name in ("fast", "fast again"))
    matrix.add("4 shares by 2 processes, fast, against fixed", first, one, excluded="another order of sums")
    matrix.add("4 shares by 2 processes, fast, rerun", again, first)


def gpu(matrix: Matrix, number: int, seed: int) -> None:
    """All phases on a GPU: rerun, and killed."""
    import torch

    rows = ("GPU rerun", f"GPU killed {number} times")
    if not torch.cuda.is_available():
        for row in rows:
            matrix.skip(row, "no CUDA device", "the model of the GPU")
        return
    first = matrix.place("gpu")
    first.compose(**{"numerics.device": "cuda", "numerics.instruction_set": "native"})
    again, stopped = (first.copy(matrix.work / name / "gogooku3") for name in ("gpu again", "gpu killed"))
    for place in (first, again):
        for phase in PHASES:
            place.train(phase)
    domain = first.domain(LAST)
    matrix.add(rows[0], again.bytes(*TRAINING_OUTPUTS), first.bytes(*TRAINING_OUTPUTS), domain=domain)
    checkpoints = kill(stopped, number, seed)
    matrix.add(
        rows[1],
        stopped.bytes(*TRAINING_OUTPUTS),
        first.bytes(*TRAINING_OUTPUTS),
        domain=domain,
        note=_checkpoint_note(checkpoints),
    )


def costs(matrix: Matrix) -> dict[str, float]:
    """Median seconds of a training step by instruction set, interleaved, at hidden size 64 and windows of 20."""
    place = matrix.place("costs")
    place.compose(**{"model.backbone.hidden_size": 64, "model.backbone.window": 20})
    times: dict[str, list[float]] = {each: [] for each in ("native", "avx2", "portable")}
    for _ in range(3):
        for each, taken in times.items():
            command = [str(BIN / "python"), "-c", STEP, each, str(place.folder / "params.yaml"), "6"]
            done = subprocess.run(command, env=place.environment({}), capture_output=True, text=True, check=True)
            taken += json.loads(done.stdout)
    return {each: statistics.median(taken) for each, taken in times.items()}


def first_line(*command: str) -> str:
    """First line of a command's output."""
    return subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, check=True).stdout.splitlines()[0]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    groups = ("pipeline", "libraries", "together", "kills", "processors", "processes", "gpu", "costs")
    parser.add_argument("--only", nargs="+", choices=groups, default=groups)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--seed", type=int, default=0, help="random seed of the kill times")
    parser.add_argument("--chroots", type=Path, default=CHROOTS, help="folder of the chroots")
    parser.add_argument("--out", type=Path, help="also write the table to this file, as Markdown")
    parser.add_argument("--json", type=Path, help="also write the rows to this file, as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tell("running the pipeline undisturbed")
        matrix = Matrix(undisturbed_run(Path(folder)), Path(folder))
        if "pipeline" in options.only:
            pipeline(matrix)
        chroots = [Chroot(release, options.chroots) for release in RELEASES]
        if "libraries" in options.only:
            libraries(matrix, chroots)
        if "together" in options.only:
            together(matrix, chroots)
        if "kills" in options.only:
            killed(matrix, options.kills, options.seed)
        if "processors" in options.only:
            processors(matrix)
        if "processes" in options.only:
            processes(matrix)
        if "gpu" in options.only:
            gpu(matrix, options.kills, options.seed)
        seconds = costs(matrix) if "costs" in options.only else {}
    emulator = first_line("qemu-x86_64", "--version") if shutil.which("qemu-x86_64") else "none: no qemu-x86_64 here"
    document = markdown(matrix.rows, seconds, first_line("git", "rev-parse", "--short", "HEAD"), emulator)
    print(document)
    if options.out:
        options.out.write_text(document)
    if options.json:
        report = {"rows": [asdict(row) for row in matrix.rows], "seconds": seconds}
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    return int(any(row.failed for row in matrix.rows))


if __name__ == "__main__":
    sys.exit(main())
