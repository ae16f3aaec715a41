"""Every stage and every verb meets the same faults: a documented exit code, one error with a hint, no partial file.

The matrix comes from the lists of stages and of verbs: a new one is in it. A verb runs the first example of its help,
or its line in `VERB_COMMANDS`. The faults are real (`disturbed.py`).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from yaml import safe_load

from gogooku3 import errors
from gogooku3.errors import UserError
from gogooku3.stages.__main__ import STAGES

from ..jquants import KEY, serving, small
from ..verbs import VERBS, examples
from .conftest import SMALL, Workspace

WALK = {
    "evaluation.scheme": "walk_forward",
    "evaluation.walk_forward.test": "30",
    "evaluation.walk_forward.folds": "[1]",
    "train.scheme": "ensemble",
    "train.further_seeds": "[2]",
}
ARGUMENTS = {"train": "baseline", "member": "2", "fold": "1", "fold_baselines": "1"}
"""Of stages that need one."""

VERB_COMMANDS = {
    "init": "init mine --bars data/quotes/bars.parquet",
    "jquants download": "jquants download new --from 2024-01-29 --to 2024-02-06 --rate 1000000",
    "jquants list": "jquants list ../raw",
    "dataset diff": "dataset diff demo@v1.0.0",
    "search": "search conf/search/demo.yaml --trials 1",
    "diff": "diff demo@v1.0.0",
    "experiments conclude": "experiments conclude demo@v1.0.0 learned",
    "report": "report demo@v1.0.0 --output compare.html",
    "promote": "promote demo --version v2.0.0 --despite-worse test --no-push",
    "drill": "drill demo",
    "recover": "recover demo --from . --to ../recovered",
    "reproduce": "reproduce demo --to ../again",
    "archive create": "archive create demo --output ../new.tar",
    "archive list": "archive list ../demo.tar --check",
    "archive restore": "archive restore ../demo.tar --to ../restored",
    "locate": "locate models/package/model.safetensors",
}
"""Verbs whose first example does not fit the small run."""
LONG = frozenset({"drill", "reproduce", "search"})
"""Verbs that train or install: after a fault they are not run again."""

REPORTS = frozenset({"doctor", "verify"})
"""Verbs that end with 1 after a table with what is wrong."""

CODES = {0, errors.NOT_COMPARED, *(error.exit_code for error in UserError.__subclasses__())}
LEAVES = [name for name in VERBS if not any(other.startswith(f"{name} ") for other in VERBS)]
NAMESPACE = ("unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"]))

Disturb = Callable[..., dict[str, Any]]


class Matrix:
    """The small run with its folds, released and archived; commands run in an overlay of it, with a fault."""

    def __init__(self, base: Path, variables: dict[str, str]) -> None:
        self.base, self.workspace, self._variables = base, Workspace(base / "gogooku3"), variables
        self._pipeline = safe_load((self.workspace.folder / "dvc.yaml").read_text())["stages"]
        self.reference = cache(self._reference)
        self.probe = cache(self._probe)

    def command(self, kind: str, name: str) -> tuple[str, ...]:
        if kind == "stage":
            return ("python", "src/gogooku3", "stages", name, *ARGUMENTS.get(name, "").split())
        example = VERB_COMMANDS.get(name) or examples(VERBS[name].command.help or "")[0].removeprefix("gogooku3 ")
        return ("gogooku3", *example.split())

    def outputs(self, stage: str) -> list[str]:
        """Outputs of a stage, which DVC removes before it runs it."""
        definition = self._pipeline[stage].get("do", self._pipeline[stage])
        listed = [out for kind in ("outs", "metrics", "plots") for out in definition.get(kind, [])]
        names = [out if isinstance(out, str) else next(iter(out)) for out in listed]
        return [re.sub(r"\$\{(key|item)\}", ARGUMENTS.get(stage, ""), name) for name in names]

    def run(self, kind: str, name: str, *, again: bool = False, **fault: Any) -> dict[str, Any]:
        layers = self.base.parent / "layers"
        layers.mkdir(exist_ok=True)
        task = {
            "root": str(self.base),
            "layers": str(layers),
            "folder": str(self.workspace.folder),
            "command": self.command(kind, name),
            "remove": self.outputs(name) if kind == "stage" else [],
            "fault": fault,
            "again": again,
            "variables": self.workspace.environment | self._variables,
        }
        program = [*NAMESPACE, sys.executable, str(Path(__file__).with_name("disturbed.py"))]
        done = subprocess.run(program, input=json.dumps(task), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def _probe(self) -> dict[str, str]:
        """The results before any command."""
        found: dict[str, str] = self.run("verb", "features")["results"]
        return found

    def _reference(self, kind: str, name: str) -> dict[str, Any]:
        """The command without a fault."""
        done = self.run(kind, name)
        assert done["code"] == 0, f"give it a command in VERB_COMMANDS:\n{done['said']}"
        return done

    def check(self, kind: str, name: str, made: dict[str, Any], *codes: int) -> None:
        """What must hold after every fault."""
        said = made["said"]
        assert "Traceback" not in said, said
        assert made["code"] in codes, said
        if made["code"] and not (made["code"] == 1 and name in REPORTS):
            lines = said.splitlines()
            start = next(row for row, line in enumerate(lines) if line.startswith("error: "))
            assert any(line.startswith("hint: ") for line in lines[start:]), said
        if name not in LONG:
            complete, before = self.reference(kind, name)["results"], self.probe()
            known = {*complete.items(), *before.items()}
            assert {*made["results"].items()} <= known, said
        if "again" in made:
            assert made["again"]["code"] == 0, made["again"]["said"]
            assert made["again"]["results"] == self.reference(kind, name)["results"]


@pytest.fixture(scope="module")
def matrix(small_run: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    for program in ("unshare", "setpriv"):
        if shutil.which(program) is None:
            pytest.skip(f"`{program}` is not installed")
    base = tmp_path_factory.mktemp("matrix") / "base"
    for name in ("bucket", "temporary"):
        (base / name).mkdir(parents=True)
    probe = f"mount -t tmpfs t {base}/temporary && cd {base}/temporary && mkdir u w && mount -t overlay"
    probe += f" -o lowerdir={base}/bucket,upperdir=u,workdir=w o {base}/bucket"
    if subprocess.run([*NAMESPACE, "sh", "-c", probe], capture_output=True, check=False).returncode:
        pytest.skip("this system gives no mount namespace with an overlay")
    workspace = small_run.copy(base / "gogooku3")
    workspace.run("dvc", "remote", "modify", "--local", "store", "url", str(base / "bucket"))
    workspace.experiment(SMALL | WALK)
    workspace.commit("A walk-forward")
    workspace.run("gogooku3", "promote", "demo")
    workspace.run("git", "commit", "--quiet", "--allow-empty", "--message", "A commit to be released")
    workspace.run("gogooku3", "archive", "create", "demo", "--output", "../demo.tar")
    with serving(small()) as exchange:
        variables = {
            "TMPDIR": str(base / "temporary"),
            "HOME": str(base / "temporary"),
            "JQUANTS_API_URL": exchange.address,
            "JQUANTS_API_KEY": KEY,
        }
        period = ("--from", "2024-01-29", "--to", "2024-02-06", "--rate", "1000000")
        workspace.run("gogooku3", "jquants", "download", "../raw", *period, **variables)
        yield Matrix(base, variables)


CELLS = [*(("stage", name) for name in STAGES), *(("verb", name) for name in LEAVES)]
each = pytest.mark.parametrize(("kind", "name"), CELLS, ids=lambda value: value.replace(" ", "-"))


def test_the_matrix_has_every_stage_and_verb() -> None:
    assert {name.split()[0] for kind, name in CELLS if kind == "verb"} == {name.split()[0] for name in VERBS}
    assert ARGUMENTS.keys() <= {*STAGES}
    assert VERB_COMMANDS.keys() | LONG <= {*LEAVES}


@pytest.mark.slow
@each
@pytest.mark.parametrize("free", [0, 1 << 16], ids=["full", "nearly full"])
def test_a_full_disk(matrix: Matrix, kind: str, name: str, free: int) -> None:
    """A verb that writes nothing succeeds; one that works through Git or a bucket passes on what these say."""
    again = free > 0 and name not in LONG
    made = matrix.run(kind, name, again=again, free=free)
    matrix.check(kind, name, made, *((0, 4) if kind == "stage" else (0, 1, 3, 4, 7, 8)))
    if made["code"]:
        # The preflight of `dataset` compares the free space with what it needs.
        assert re.search("No space left on device|take at least .* are free", made["said"])


@pytest.mark.slow
@each
def test_no_permission(matrix: Matrix, kind: str, name: str) -> None:
    made = matrix.run(kind, name, denied=True)
    matrix.check(kind, name, made, *((4,) if kind == "stage" else (0, 1, 3, 4, 7, 8)))
    if made["code"]:
        assert re.search("permission|read-only|cannot be written", made["said"], re.IGNORECASE)


@pytest.mark.slow
@each
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal(matrix: Matrix, kind: str, name: str, number: signal.Signals) -> None:
    """SIGTERM at once, the others in the middle."""
    after = 0.0 if number == signal.SIGTERM or name in LONG else 0.6 * matrix.reference(kind, name)["seconds"]
    again = number == signal.SIGINT and name not in LONG
    made = matrix.run(kind, name, again=again, signal=number, after=after)
    matrix.check(kind, name, made, *((130,) if after == 0 else (0, 130)))
    if made["code"]:
        assert f"stopped by {'Ctrl-C' if number == signal.SIGINT else number.name}" in made["said"]


@pytest.mark.slow
@each
@pytest.mark.parametrize("share", [0.5, 0.8])
def test_too_little_memory(matrix: Matrix, kind: str, name: str, share: float) -> None:
    """Polars, LLVM and the C library end the process when they get no memory, or wait forever: nothing more can be
    printed."""
    if name in LONG:
        pytest.skip("it runs other processes, of which each has the limit")
    made = matrix.run(kind, name, memory=int(share * matrix.reference(kind, name)["peak"]))
    libraries = r"memory allocation of|OpenBLAS|libgomp|LLVM ERROR|jemalloc|thread-local data"
    if made["code"] < 0 or re.search(libraries, made["said"]):
        return
    matrix.check(kind, name, made, 0, 1, 3, 4)
