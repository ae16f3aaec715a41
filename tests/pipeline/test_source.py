"""With another clone installed in the environment, a clone runs its own source or refuses."""

from __future__ import annotations

import hashlib
import json
import os
import site
import subprocess
import sys
import time
from pathlib import Path

import pytest
from yaml import safe_load

from gogooku3.recovery.sandbox.environment import Environment, install

from .conftest import SMALL, Workspace, checkout

STAGE = "src/gogooku3/stages/quotes.py"
EXPERIMENT = ("dvc", "exp", "run", *(part for name, value in SMALL.items() for part in ("-S", f"{name}={value}")))


class Clone(Workspace):
    """A clone, used with an environment in which another clone is installed."""

    def __init__(self, folder: Path, environment: Environment) -> None:
        super().__init__(folder)
        self._installed = environment

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return kept | {"PATH": f"{self._installed.python.parent}{os.pathsep}{os.environ['PATH']}"}

    def mark(self, word: str) -> str:
        """Makes the stage `quotes` write a word to its output; returns the hash of its source."""
        stage, end = self.folder / STAGE, "        write(quotes, folder)\n"
        before, found, _ = stage.read_text().partition(end)
        stage.write_text(f"{before}{found}        (folder / 'made_by.txt').write_text({word!r})\n")
        return hashlib.md5(stage.read_bytes()).hexdigest()

    def recorded(self, lock: str) -> tuple[str, str]:
        """A lock file's entry of `quotes`: the hash of its source, and the word in its output."""
        stage = safe_load(lock)["stages"]["quotes"]
        (folder,) = (out["md5"] for out in stage["outs"])
        words = (each["md5"] for each in json.loads(self._cached(folder)) if each["relpath"] == "made_by.txt")
        return next(dep["md5"] for dep in stage["deps"] if dep["path"] == STAGE), self._cached(next(words, ""))

    def of_experiment(self, name: str) -> tuple[str, str]:
        """The entry of an experiment."""
        names = self.run("git", "for-each-ref", "--format=%(refname)", "refs/exps").stdout.split()
        (reference,) = (each for each in names if each.endswith(f"/{name}"))
        return self.recorded(self.run("git", "show", f"{reference}:dvc.lock").stdout)

    def of_folder(self) -> tuple[str, str]:
        """The entry in the working tree's lock file."""
        return self.recorded((self.folder / "dvc.lock").read_text())

    def _cached(self, oid: str) -> str:
        cache = Path(self.run("dvc", "cache", "dir").stdout.strip())
        return (self.folder / cache / "files/md5" / oid[:2] / oid[2:]).read_text() if oid else ""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the libraries of this one, into which pip has installed another clone."""
    folder = tmp_path_factory.mktemp("environment")
    (folder / "other").mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    made = Environment(folder / "venv/bin/python")
    (libraries,) = (folder / "venv/lib").glob("python*/site-packages")
    (libraries / "lent.pth").write_text(f"{site.getsitepackages()[0]}\n")
    dvc = made.python.with_name("dvc")  # the name by which it starts the workers of a queue
    dvc.write_text(f"#!{made.python}\nimport sys\nfrom dvc.cli import main\nsys.exit(main())\n")
    dvc.chmod(0o755)
    other = Clone(checkout(folder / "other").folder, made)
    other.mark("the other clone")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONPATH")
        install(made, other.folder)
    found = other.run("python", "-c", "import gogooku3.source as s; print(s.FOLDER)").stdout.strip()
    assert found == str(other.folder / "src")
    return made


@pytest.fixture
def clone(installed: Environment, tmp_path: Path) -> Clone:
    return Clone(checkout(tmp_path / "clone").folder, installed)


@pytest.mark.slow
def test_a_stage_runs_the_source_that_dvc_hashes(clone: Clone) -> None:
    source = clone.mark("this clone")
    clone.compose(SMALL)
    clone.run("dvc", "repro", "quotes")
    assert clone.of_folder() == (source, "this clone")
    again = clone.mark("this clone, edited")
    clone.run("dvc", "repro", "quotes")
    assert clone.of_folder() == (again, "this clone, edited")


@pytest.mark.slow
def test_a_stage_whose_source_was_edited_while_it_ran_is_not_locked(clone: Clone) -> None:
    clone.mark("before")
    stage = clone.folder / STAGE
    ran = stage.read_text()
    stage.write_text(f"{ran}        open({STAGE!r}, 'w').write({ran!r})\n")
    clone.compose(SMALL)
    done = clone.run("dvc", "repro", "quotes", check=False)
    assert done.returncode == 255
    assert f"the source was edited during the run: {STAGE.removeprefix('src/')};" in done.stderr
    assert clone.changes() == f" M params.yaml\n M {STAGE}\n"
    clone.run("dvc", "repro", "quotes")
    assert clone.of_folder() == (hashlib.md5(ran.encode()).hexdigest(), "before")


@pytest.mark.slow
def test_of_two_clones_each_runs_its_own_under_its_own_hash(clone: Clone, tmp_path: Path) -> None:
    """And reuses nothing from the other's run, with one cache and one environment for both."""
    second = Clone(clone.copy(tmp_path / "second").folder, clone._installed)
    for each, word in ((clone, "the first"), (second, "the second")):
        source = each.mark(word)
        each.compose(SMALL)
        each.run("dvc", "cache", "dir", "--local", str(tmp_path / "cache"))
        each.run("dvc", "repro", "quotes")
        assert each.of_folder() == (source, word)
        assert "up to date" in each.run("dvc", "status", "quotes").stdout


@pytest.mark.slow
def test_a_worktree_runs_its_own(clone: Clone, tmp_path: Path) -> None:
    clone.mark("the main tree")
    clone.commit("Marked")
    clone.run("git", "worktree", "add", "--quiet", str(tmp_path / "tree"), "HEAD~1")
    tree = Clone(tmp_path / "tree", clone._installed)
    source = tree.mark("the other tree")
    tree.compose(SMALL)
    tree.run("dvc", "repro", "quotes")
    assert tree.of_folder() == (source, "the other tree")


@pytest.mark.slow
def test_an_experiment_in_a_temporary_folder_runs_the_source_that_it_took_there(clone: Clone) -> None:
    source = clone.mark("of the working tree")
    clone.run(*EXPERIMENT, "--temp", "--name", "aside", "quotes")
    assert clone.of_experiment("aside") == (source, "of the working tree")


@pytest.mark.slow
@pytest.mark.parametrize("start", ["exp run --run-all", "queue start"])
def test_a_queued_experiment_runs_the_source_that_it_was_queued_with(start: str, clone: Clone) -> None:
    queued = clone.mark("when it was queued")
    clone.run(*EXPERIMENT, "--queue", "--name", "queued", "quotes")
    clone.mark("when it was started")
    clone.run("dvc", *start.split())
    until = time.monotonic() + 300
    while not clone.run("git", "for-each-ref", "refs/exps/*/*/queued").stdout:
        assert time.monotonic() < until, clone.run("dvc", "queue", "status").stdout
        time.sleep(0.2)
    assert clone.of_experiment("queued") == (queued, "when it was queued")


def test_the_installed_verbs_refuse_to_compute_and_the_clones_own_do_not(clone: Clone) -> None:
    clone.mark("this clone")
    done = clone.run("gogooku3", "features", check=False)
    assert done.returncode == 4
    assert f"differs from this clone's source `{clone.folder / 'src'}` in {STAGE.removeprefix('src/')}\n" in done.stderr
    command = done.stderr.partition("hint: run this clone's source with `")[2].partition(" …`")[0]
    assert "volume" in clone.run(*command.split(), "features", "--family", "volume").stdout


OWN = """
import subprocess, sys
from pathlib import Path
from gogooku3 import source

def test_what_is_tested():
    told = subprocess.run([sys.executable, "-c", "import gogooku3; print(gogooku3.__file__)"], capture_output=True)
    assert Path(told.stdout.decode()).parents[1] == source.FOLDER == Path(__file__).parents[1] / "src"
"""


@pytest.mark.slow
def test_the_tests_of_a_clone_test_its_own_source(clone: Clone) -> None:
    (clone.folder / "tests/test_own.py").write_text(OWN)
    done = clone.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_own.py")
    assert "1 passed" in done.stdout


@pytest.mark.slow
def test_processes_that_train_together_run_the_source_of_the_clone(clone: Clone) -> None:
    group = clone.folder / "src/gogooku3/training/distributed.py"
    group.write_text(group.read_text() + "\nwith open('ran.txt', 'a') as ran:\n    ran.write('this clone\\n')\n")
    clone.compose(SMALL | {"numerics.processes": "2", "numerics.shares": "2", "numerics.threads": "1"})
    clone.run("dvc", "repro", "train@baseline")
    assert (clone.folder / "ran.txt").read_text().splitlines() == ["this clone"] * 3, "the stage and its two processes"


@pytest.fixture
def trained(workspace: Workspace, installed: Environment, tmp_path: Path) -> tuple[Clone, str]:
    """The small run with its own source and bucket, committed; and the hash of its source."""
    made = Clone(workspace.folder, installed)
    source = made.mark("this clone")
    made.run("dvc", "repro", "--quiet")
    (tmp_path / "bucket").mkdir()
    (made.folder / ".dvc/config.local").write_text(f"['remote \"store\"']\n    url = {tmp_path / 'bucket'}\n")
    made.commit("Marked")
    return made, source


@pytest.mark.slow
def test_a_search_tries_and_a_reproduction_repeats_what_the_commit_holds(
    trained: tuple[Clone, str], tmp_path: Path
) -> None:
    """The search runs the clone's own source; `reproduce` runs the installed one, which only compares."""
    clone, source = trained
    own = ("python", str(clone.folder / "src/gogooku3"), "cli")
    clone.run(*own, "promote", "demo")
    again = json.loads(clone.run("gogooku3", "reproduce", "demo@v1.0.0", "--json").stdout)
    assert again["same"] is True

    space = {"objective": "mean_rank_ic", "trials": 2, "seed": 0, "parameters": {"quotes.seed": {"choices": [1, 2]}}}
    (clone.folder / "seeds.yaml").write_text(json.dumps(space))
    found = json.loads(clone.run(*own, "search", "seeds.yaml", "--json").stdout)
    tried = {trial["experiment"] for trial in found["trials"]}
    assert {clone.of_experiment(name) for name in tried} == {(source, "this clone")}
