"""A lock file compared with the installed libraries, and a real environment that pip builds from one."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from gogooku3.errors import DataError, MachineError
from gogooku3.recovery.sandbox.environment import CURRENT, build, differing, install

ROOT = Path(__file__).parents[3]
TINY = [f"setuptools=={version('setuptools')}", f"packaging=={version('packaging')}"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one module and two locked libraries."""
    root = tmp_path / "project"
    (root / "src/trial").mkdir(parents=True)
    (root / "src/trial/__init__.py").write_text("WORD = 'first'\n")
    (root / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "trial"\nversion = "1.0"\ndependencies = ["torch"]\n'
        '[tool.setuptools.packages.find]\nwhere = ["src"]\n'
    )
    lock(root, TINY)
    return root


def lock(root: Path, lines: list[str]) -> None:
    (root / "requirements.lock").write_text("# made by hand\n" + "\n".join(lines) + "\n")


def test_the_locked_libraries_are_installed_here() -> None:
    assert differing(ROOT) == []


def test_another_version_and_a_missing_library_are_named(project: Path) -> None:
    lock(project, [*TINY, "click==1.0", "no-such-library==2.0  # why not"])
    names = [str(library) for library in differing(project)]
    assert names == [f"click 1.0 ({version('click')} here)", "no-such-library 2.0 (not installed here)"]


def test_a_line_for_another_platform_does_not_count(project: Path) -> None:
    lock(project, ["no-such-library==2.0 ; sys_platform == 'win32'", "nor-this==1 ; python_version < '3'"])
    assert differing(project) == []


def test_a_build_of_the_locked_version_is_that_version(project: Path) -> None:
    import torch

    release = torch.__version__.split("+")[0]
    lock(project, [f"torch=={release}"])
    assert differing(project) == []


def test_an_invalid_or_missing_lock_file_is_refused(project: Path) -> None:
    lock(project, ["what is this"])
    with pytest.raises(DataError, match="not a lock file"):
        differing(project)
    (project / "requirements.lock").unlink()
    with pytest.raises(DataError, match="does not exist"):
        differing(project)


@pytest.mark.slow
def test_an_environment_has_the_locked_libraries_and_the_project_and_nothing_else(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    made = build(tmp_path / "environment", project)

    def said(script: str) -> str:
        command = [str(made.python), "-P", "-c", script]
        done = subprocess.run(command, env=made.variables(project), capture_output=True, text=True, check=True)
        return done.stdout.strip()

    listed = "from importlib.metadata import distributions as d; print(*sorted({x.metadata['Name'] for x in d()}))"
    assert said(listed).split() == ["packaging", "pip", "setuptools", "trial"]
    assert said("import packaging; print(packaging.__version__)") == version("packaging")
    assert said("import importlib.util as u; print(u.find_spec('gogooku3'))") == "None"
    other = project.with_name("other")
    project.rename(other)
    (other / "src/trial/__init__.py").write_text("WORD = 'second'\n")
    install(made, other)
    assert said("import trial; print(trial.WORD)") == "second"


@pytest.mark.slow
def test_libraries_that_cannot_be_installed_end_in_one_message(project: Path, tmp_path: Path) -> None:
    lock(project, ["no-such-library-anywhere==9.9"])
    with pytest.raises(MachineError, match=r"No matching distribution found for no-such-library-anywhere==9\.9"):
        build(tmp_path / "environment", project)


def test_a_process_finds_the_projects_own_code_and_the_environments_programs_first(project: Path) -> None:
    command = ["python", "-P", "-c", "import trial, sys; print(trial.WORD, sys.executable)"]
    done = subprocess.run(command, env=CURRENT.variables(project), capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["first", str(CURRENT.python)]
