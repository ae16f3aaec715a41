"""Source run by its path ignores installed packages; verbs refuse to compute with another clone's source."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from gogooku3 import source
from gogooku3.assembly import workers
from gogooku3.cli import main
from gogooku3.errors import MachineError

ROOT = Path(__file__).parents[1]

ORIGIN = '''
"""Prints which source runs: in this process, in a subprocess of its command, and in a spawned process."""

import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from gogooku3 import source, origin

def where():
    return source.FOLDER

if __name__ == "__main__":
    print(where())
    if len(sys.argv) == 1:
        started = [*source.command("origin"), "alone"]
        print(subprocess.run(started, capture_output=True, text=True, check=True).stdout.strip())
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            print(pool.submit(origin.where).result())
'''

IMPORTED = "import gogooku3.source"
"""Import hooks that an environment's files may install before a program starts."""

HOOKED = """
import sys
from importlib.machinery import PathFinder
class Hook:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return PathFinder.find_spec(name, path or [{other!r}]) if name.partition(".")[0] == "gogooku3" else None
sys.meta_path.insert(0, Hook)
"""


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two sources that print which of them runs."""
    folder = tmp_path_factory.mktemp("sources")
    made = folder / "one/src", folder / "two/src"
    for each in made:
        shutil.copytree(ROOT / "src", each, ignore=shutil.ignore_patterns("__pycache__"))
        (each / "gogooku3/origin.py").write_text(ORIGIN)
    return made


def run(*command: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    given = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | variables
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=given, capture_output=True, text=True, check=False
    )


def add(text: str, file: Path) -> None:
    file.write_text(file.read_text() + text)


def customized(folder: Path, text: str) -> str:
    """A folder on the path with a `sitecustomize` that every Python runs."""
    (folder / "sitecustomize.py").write_text(text)
    return str(folder)


@pytest.mark.parametrize("options", [(), ("-P",)])
@pytest.mark.parametrize("leads", ["nothing", "PYTHONPATH", "an import before all others"])
def test_a_source_run_by_its_path_runs_and_so_do_the_processes_that_it_starts(
    leads: str, options: tuple[str, ...], sources: tuple[Path, Path], tmp_path: Path
) -> None:
    one, two = sources
    paths = {
        "nothing": "",
        "PYTHONPATH": str(two),
        "an import before all others": os.pathsep.join((customized(tmp_path, IMPORTED), str(two))),
    }
    done = run(*options, str(one / "gogooku3"), "origin", folder=tmp_path, PYTHONPATH=paths[leads])
    assert done.stdout.split() == [str(one)] * 3, done.stderr


def test_its_folder_is_not_on_the_path_of_others(sources: tuple[Path, Path], tmp_path: Path) -> None:
    one, _ = sources
    (one / "gogooku3/looked.py").write_text("import sys, importlib.util as u; print(u.find_spec('quotes'), sys.argv)")
    done = run("gogooku3", "looked", "--option", "x", folder=one)
    (one / "gogooku3/looked.py").unlink()
    assert done.stdout.strip() == f"None [{str(one / 'gogooku3/looked.py')!r}, '--option', 'x']", done.stderr


def test_an_import_hook_that_redirects_elsewhere_is_refused_by_name(sources: tuple[Path, Path], tmp_path: Path) -> None:
    one, two = sources
    hooked = customized(tmp_path, HOOKED.format(other=str(two)))
    done = run(str(one / "gogooku3"), "origin", folder=tmp_path, PYTHONPATH=hooked)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith(
        f"error: `import gogooku3` imports `{two / 'gogooku3'}` instead of `{one / 'gogooku3'}`"
    )
    assert "\nhint: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", [(), ("quotes",), ("serach",), ("stages.nothing",), ("../gogooku3/cli",)])
def test_a_name_that_is_not_a_runnable_module_is_refused(name: tuple[str, ...], tmp_path: Path) -> None:
    done = run(str(ROOT / "src/gogooku3"), *name, folder=tmp_path)
    assert done.returncode == 2
    assert "is not a module that can be run\nhint: name `stages` or `cli`" in done.stderr


def test_a_process_that_found_another_source_is_refused(sources: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=f"of the source `{sources[0]}` imported the source `{ROOT / 'src'}`"):
        workers._make(sources[0], [], tmp_path, None, tmp_path)  # type: ignore[arg-type]


def test_a_stage_runs_only_the_source_of_its_clone(sources: tuple[Path, Path]) -> None:
    one, two = sources
    add("# another\n", two / "gogooku3/errors.py")
    for command in (("-m", "gogooku3.stages"), (str(two / "gogooku3"), "stages")):
        done = run(*command, "quotes", folder=one.parent, PYTHONPATH=str(two))
        assert done.returncode == 4
        assert done.stderr.startswith(f"error: the running source `{two}` differs from this clone's source `{one}`")
        assert f"hint: run this clone's source with `python {one / 'gogooku3'} stages …`" in done.stderr
    own = run("-m", "gogooku3.stages", "quotes", folder=one.parent, PYTHONPATH=str(one))
    assert "`params.yaml` does not exist" in own.stderr


EDITING = """
from pathlib import Path
from gogooku3.pages import palette

def run(params, name):
    file = Path(__file__).parents[1] / name
    file.write_text(file.read_text() + " ")
"""


@pytest.mark.parametrize(
    ("name", "refused"),
    [("stages/quotes.py", True), ("pages/palette.py", True), ("pages/style.css", True), ("model/inputs.py", False)],
)
def test_a_stage_fails_if_its_source_was_edited_while_it_ran(
    name: str, refused: bool, sources: tuple[Path, Path]
) -> None:
    one, _ = sources
    (one / "gogooku3/stages/quotes.py").write_text(EDITING)
    shutil.copyfile(ROOT / "params.yaml", one.parent / "params.yaml")
    done = run("src/gogooku3", "stages", "quotes", name, folder=one.parent)
    assert (done.returncode, "Traceback" in done.stderr) == (4 if refused else 0, False), done.stderr
    assert (f"the source was edited during the run: gogooku3/{name};" in done.stderr) is refused


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with another source that fails when it is run; the current folder."""
    folder = tmp_path / "clone"
    (folder / "src/gogooku3").mkdir(parents=True)
    (folder / "src/gogooku3/__init__.py").write_text("raise SystemExit('the source of the clone was run')\n")
    (folder / "space.yaml").write_text(
        "objective: mean_rank_ic\ntrials: 1\nseed: 0\nparameters:\n  model.backbone.hidden_size: {choices: [8]}\n"
    )
    shutil.copyfile(ROOT / "params.yaml", folder / "params.yaml")
    for command in (("init", "--quiet"), ("add", "."), ("-c", "user.name=T", "-c", "user.email=t@e", "commit", "-qmT")):
        subprocess.run(["git", *command], cwd=folder, check=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize(
    "verb",
    [
        ("dataset", "make"),
        ("features",),
        ("folds",),
        ("export", "--output", "exported"),
        ("search", "space.yaml"),
        ("report", "HEAD"),
        ("promote", "demo"),
    ],
    ids=lambda verb: verb[0],
)
def test_a_verb_that_computes_is_refused_in_a_clone_of_another_source(verb: tuple[str, ...], clone: Path) -> None:
    done = CliRunner().invoke(main, verb)
    assert done.exit_code == 4, done.output
    assert done.stderr.startswith(
        f"error: the running source `{ROOT / 'src'}` differs from this clone's source `{clone / 'src'}` in gogooku3/"
    )
    assert f"\nhint: run this clone's source with `python {clone / 'src/gogooku3'} cli …`," in done.stderr
    assert f"or install it with `pip install --no-deps -e {clone}`" in done.stderr
    assert list(clone.glob("data")) == []


@pytest.mark.parametrize(
    "verb",
    [
        ("verify",),
        ("audit",),
        ("tiers",),
        ("leaderboard",),
        ("experiments",),
        ("diff", "HEAD", "HEAD"),
        ("dataset", "diff", "HEAD"),
        ("locate", "models/package"),
        ("archive", "list", "none.tar"),
        ("archive", "create", "demo@v1.0.0"),
        ("recover", "demo", "--to", "there"),
        ("reproduce", "demo"),
        ("predict", "--output", "scores.csv"),
    ],
    ids=" ".join,
)
def test_a_verb_that_only_checks_works_in_a_clone_of_another_source(verb: tuple[str, ...], clone: Path) -> None:
    """Up to the error of a repository without a release."""
    done = CliRunner().invoke(main, verb)
    assert "the running source" not in done.output
    assert "was run" not in done.output
    assert done.exit_code in (0, 3, 8), done.output


def test_a_clone_with_the_same_files_is_accepted(clone: Path) -> None:
    shutil.rmtree(clone / "src")
    assert source.clone_source(clone) is None
    shutil.copytree(ROOT / "src", clone / "src")
    (clone / "src/gogooku3/.errors.py.swp").write_text("an editor's")
    source.require(clone)
    add("/* another */", clone / "src/gogooku3/pages/style.css")
    assert source.differing(clone / "src") == ["gogooku3/pages/style.css"]
    (clone / "src/gogooku3/more.py").touch()
    (clone / "src/gogooku3/errors.py").unlink()
    assert source.differing(clone / "src") == [
        "gogooku3/errors.py",
        "gogooku3/more.py",
        "gogooku3/pages/style.css",
    ]


def test_a_clone_is_found_from_its_subfolders_but_not_across_another_repository(clone: Path) -> None:
    (clone / "docs/deep").mkdir(parents=True)
    assert source.clone_source(clone / "docs/deep") == source.clone_source(Path("docs")) == clone / "src"
    (clone / "docs/.git").touch()
    assert source.clone_source(clone / "docs/deep") is None
    assert source.clone_source(clone.parent) is None


def test_a_path_that_is_not_a_file_is_a_difference_and_is_not_read(clone: Path) -> None:
    shutil.rmtree(clone / "src")
    shutil.copytree(ROOT / "src", clone / "src")
    for name, leads in (("errors.py", "/dev/zero"), ("progress.py", "nowhere")):
        (clone / "src/gogooku3" / name).unlink()
        (clone / "src/gogooku3" / name).symlink_to(leads)
    (clone / "src/gogooku3/startup.py").unlink()
    os.mkfifo(clone / "src/gogooku3/startup.py")
    assert source.differing(clone / "src") == [f"gogooku3/{name}.py" for name in ("errors", "progress", "startup")]


def test_a_python_without_the_libraries_gets_an_error_with_a_hint(sources: tuple[Path, Path]) -> None:
    source = sources[0]
    started = ("-S", str(source / "gogooku3"), "stages", "quotes")  # without the libraries of any environment
    done = run(*started, folder=source.parent)
    assert done.returncode == 4
    assert re.match(rf"error: `{re.escape(sys.executable)}` has no library `\w+`\nhint: activate the env", done.stderr)
    environment = source.parent / ".venv/bin"
    environment.mkdir(parents=True)
    (environment / "activate").touch()
    done = run(*started, folder=source.parent)
    assert done.returncode == 4
    assert f"hint: `. {environment}/activate`, then run the command again" in done.stderr
