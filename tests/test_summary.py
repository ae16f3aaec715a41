"""Summary of the last run: the verdict of its page; a mixture of two runs is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from gogooku3 import config
from gogooku3.cli import main
from gogooku3.config import Params
from gogooku3.errors import ConfigError, DataError, MismatchError
from gogooku3.report.results import read_results
from gogooku3.report.verdict import judge
from gogooku3.runtime.files import md5_file
from gogooku3.summary import summarize

from .report.conftest import lay_out

ROOT = Path(__file__).parents[1]
FILES = ("data/predictions.parquet", "metrics/baselines.json", "metrics/test.json", "metrics/validation.json")


@pytest.fixture(scope="module")
def made(demo: Params, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working tree after a run."""
    root = tmp_path_factory.mktemp("made") / "tree"
    params = json.loads(json.dumps(asdict(lay_out(root, demo)), default=str))
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    deps = [{"path": name, "md5": md5_file(root / name)} for name in FILES]
    deps += [
        {"path": "data/dataset", "md5": "0" * 32 + ".dir"},
        {"path": "src/gogooku3/stages/report.py", "md5": "0" * 32},  # the code may have changed since
    ]
    declared = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]["report"]["params"]
    recorded = {"params.yaml": {key: params[key] for key in declared if isinstance(key, str)}}
    run = {"cmd": "python src/gogooku3 stages report", "params": recorded, "deps": deps}
    (root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": {"report": run}}))
    subprocess.run(["git", "init", "--quiet", root], check=True)
    return root


@pytest.fixture
def tree(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the tree for one test, as the current folder."""
    root = tmp_path / "copy"
    shutil.copytree(made, root)
    monkeypatch.chdir(root)
    return root


def test_it_has_the_verdict_of_the_page(tree: Path, demo: Params) -> None:
    found = summarize(tree)
    verdict = judge(read_results(tree, config.load()))
    assert (found.tier, found.verdict) == ("demo", verdict.headline)
    assert found.verdict == "On a synthetic market, it ranks and earns after costs, and beats LightGBM"
    assert found.figures.startswith("Out of sample, over 128 sessions from 2023-05-02 to ")
    assert "<" not in found.figures
    assert (found.page, found.package) == ("reports/tier.html", "models/package")


def test_the_verb_prints_verdict_page_and_the_next_command(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    done = CliRunner().invoke(main, ["summary"])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0] == "demo: On a synthetic market, it ranks and earns after costs, and beats LightGBM"
    assert lines[-3:] == [
        "page      reports/tier.html",
        "package   models/package",
        f"predict   gogooku3 predict models/package --output scores.csv --from {summarize(tree).test_from}",
    ]
    printed = CliRunner().invoke(main, ["summary", "--json"])
    assert json.loads(printed.output) == asdict(summarize(tree))


@pytest.mark.parametrize("inside", [True, False])
def test_it_prints_how_to_activate_an_inactive_environment(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: bool
) -> None:
    environment = (tree if inside else tmp_path) / "an environment"
    (environment / "bin").mkdir(parents=True)
    (environment / "bin/activate").touch()
    monkeypatch.setattr(sys, "prefix", str(environment))
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    line = f"activate  . '{'' if inside else f'{tmp_path}/'}an environment/bin/activate'"
    assert line in CliRunner().invoke(main, ["summary"]).output.splitlines()


def test_a_tree_without_a_run_is_an_error(tree: Path) -> None:
    lock = tree / "dvc.lock"
    content = yaml.safe_load(lock.read_text())
    for text, message in {
        yaml.safe_dump(content | {"stages": {}}): "has no run of `report`",
        "a: [": "is not a DVC lock file",
        "[]": "is not a DVC lock file",
    }.items():
        lock.write_text(text)
        with pytest.raises(DataError, match=message):
            summarize(tree)
    lock.unlink()
    with pytest.raises(DataError, match="has no run of `report`"):
        summarize(tree)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_output_or_one_of_another_run_is_reported(tree: Path, name: str) -> None:
    (tree / name).write_bytes((tree / name).read_bytes() + b" ")
    with pytest.raises(MismatchError, match=f"{name}: differs from the last run in `dvc.lock`"):
        summarize(tree)
    (tree / name).unlink()
    with pytest.raises(DataError, match=f"{name}` does not exist"):
        summarize(tree)


def test_edited_parameters_are_refused(tree: Path) -> None:
    params = tree / "params.yaml"
    params.write_text(params.read_text().replace("name: demo", "name: tier1"))
    with pytest.raises(MismatchError, match=r"`params\.yaml` differs from the last run: .* other values of `tier`"):
        summarize(tree)
    params.unlink()
    with pytest.raises(ConfigError, match="does not exist"):
        summarize(tree)
