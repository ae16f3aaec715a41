"""Experiments in a terminal and in other clones, with the commands of `docs/experiments.md`."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gogooku3.metrics.split_file import content_of, table_of

from .conftest import PIPELINE, ROOT, Toy

DOCS = (ROOT / "docs/experiments.md").read_text(encoding="utf-8")


def documented(start: str) -> list[list[str]]:
    """The commands of the page that begin with some words."""
    lines = re.findall(rf"^{re.escape(start)}.*$", DOCS, re.MULTILINE)
    assert lines
    return [shlex.split(line, comments=True) for line in lines]


@pytest.fixture
def tried(tmp_path: Path) -> Callable[..., str]:
    """Runs a command, 120 columns wide, where three experiments changed three parameters and the demo's metrics."""
    folder = tmp_path / "demo"
    folder.mkdir()
    toy = Toy(folder)
    names = ["dvc.yaml", "dvc.lock", "params.yaml", "locks/libs.yaml", ".dvc/config", ".dvc/.gitignore"]
    for name in (*names, *(f"metrics/{split}.json" for split in ("test", "validation"))):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    for split in ("test", "validation"):
        path = folder / f"metrics/{split}.json"
        path.write_text(json.dumps(content_of(table_of(json.loads(path.read_text())))))
    for command in (
        ("git", "init", "--quiet"),
        ("git", "config", "user.name", "Test"),
        ("git", "config", "user.email", "test@example.com"),
        ("git", "add", "--all", "--force"),
        ("git", "commit", "--quiet", "--message", "The demo"),
    ):
        toy.run(*command)
    base = toy.run("git", "rev-parse", "HEAD").stdout.strip()
    for number in (1, 2, 3):
        for key in ("weight_decay", "hidden_size", "dropout"):
            text = (folder / "params.yaml").read_text()
            (folder / "params.yaml").write_text(re.sub(rf"\b{key}: .*", f"{key}: 0.{number}234", text))
        for split in ("test", "validation"):
            metrics = table_of(json.loads((folder / f"metrics/{split}.json").read_text()))
            for cell in (metrics["sharpe"], metrics["mean_rank_ic"]):
                cell["value"] = -12.3456789 / number
            (folder / f"metrics/{split}.json").write_text(json.dumps(content_of(metrics)))
        toy.run("git", "commit", "--quiet", "--all", "--message", "dvc: commit experiment")
        toy.run("git", "update-ref", f"refs/exps/{base[:2]}/{base[2:]}/loss_weights-{number}", "HEAD")
        toy.run("git", "reset", "--quiet", "--hard", base)

    def run(*command: str) -> str:
        environment = toy.environment | {"COLUMNS": "120"}
        return subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True).stdout

    return run


@pytest.mark.slow
def test_experiments_fit_into_120_columns_with_the_documented_commands(tried: Callable[..., str]) -> None:
    """Too narrow a terminal would fold names and numbers, or replace them with an ellipsis."""
    results, parameters = (tried(*command, "--no-pager") for command in documented("dvc exp show --"))
    for shown in (results, parameters):
        assert max(map(len, shown.splitlines())) <= 120
        assert "…" not in shown
        assert all(f"[loss_weights-{number}]" in shown for number in (1, 2, 3))
    assert "validation.json:sharpe" in results
    assert "validation.json:rank_ic" in results
    assert results.count("-6.1728") == 2
    for name in ("model.backbone.hidden_size", "model.backbone.dropout", "train.recipe.weight_decay"):
        assert name in parameters


@pytest.mark.slow
def test_a_pushed_experiment_is_applied_and_restored_in_another_clone(toy: Toy) -> None:
    """A bare Git remote and a local DVC remote; the commands of the page. The clones train nothing again.

    All outputs are in DVC's cache: those in Git are not in the run cache.
    """
    pipeline = re.sub(r": \{(cache: false, )?persist: true\}", "", PIPELINE)
    assert pipeline.count("persist") == 0
    (toy.folder / "dvc.yaml").write_text(pipeline)
    toy.run("git", "rm", "--quiet", "--cached", "metrics/validation.json")
    server, store = toy.folder.parent / "server.git", toy.folder.parent / "store"
    toy.run("dvc", "remote", "add", "--default", "store", str(store))
    toy.run("dvc", "repro", "--quiet")
    toy.run("git", "add", "--all")
    toy.run("git", "commit", "--quiet", "--message", "A remote")
    toy.run("git", "clone", "--quiet", "--bare", str(toy.folder), str(server))
    toy.run("git", "remote", "add", "origin", str(server))
    toy.run("dvc", "exp", "run", "--name", "seed-2", "-S", "train.recipe.seed=2")
    made = outputs(toy)
    toy.run("git", "reset", "--quiet", "--hard")
    ((push,), (pull,), (apply,)) = map(documented, ("dvc exp push --run", "dvc exp pull --run", "dvc exp apply"))
    assert (push[-1], pull[-1], apply[-1]) == ("demo-7",) * 3
    toy.run(*push[:-1], "seed-2")

    clones = [Toy(toy.folder.parent / name) for name in ("applies", "runs")]
    ran = toy.ran
    for clone in clones:
        toy.run("git", "clone", "--quiet", str(server), str(clone.folder))
        assert clone.run("dvc", "exp", "list").stdout.split("\n")[0] == ""
        clone.run(*pull[:-1], "seed-2")
    applies, runs = clones
    applies.run(*apply[:-1], "seed-2")
    assert outputs(applies) == made
    assert "up to date" in applies.run("dvc", "repro").stdout
    runs.run("dvc", "exp", "run", "--pull", "-S", "train.recipe.seed=2")
    assert outputs(runs) == made
    assert toy.ran == ran, "restored from the run cache"


def outputs(toy: Toy) -> dict[str, Any]:
    return {name: (toy.folder / name).read_bytes() for name in ("model.txt", "metrics/validation.json", "dvc.lock")}
