"""A small experiment in a clone of the project; commands run the clone's own code."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent

SETTINGS = {
    "quotes.stocks": 30,
    "quotes.start": "2021-01-04",
    "quotes.end": "2022-11-30",
    "dataset.graph.window": 40,
    "dataset.graph.refresh": 10,
    "dataset.split.train_from": "2021-01-04",
    "dataset.split.validation_from": "2022-07-15",
    "dataset.split.test_from": "2022-09-30",
    "model.backbone.window": 8,
    "train.recipe.batch_size": 240,
    "train.recipe.batch_stocks": 30,
    "train.phases.baseline.epochs": 3,
    "train.phases.adaptive_norm.epochs": 3,
    "train.phases.gat.epochs": 3,
    "train.phases.finetune.epochs": 3,
    # Low enough that every phase has an epoch that is better than its start: a kept start would be compared otherwise.
    "train.phases.baseline.learning_rate": 1e-4,
    "train.phases.adaptive_norm.learning_rate": 1e-4,
    "train.phases.gat.learning_rate": 1e-4,
    "train.phases.finetune.learning_rate": 1e-4,
    "evaluation.bootstrap.draws": 200,
}
PHASES = ("baseline", "adaptive_norm", "gat", "finetune")


def tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class Place:
    """A clone of the project; commands run its own code."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def environment(self, variables: dict[str, str]) -> dict[str, str]:
        path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        return os.environ | {"PATH": path, "PYTHONPATH": str(self.folder / "src")} | variables

    def run(self, *command: str, **variables: str) -> None:
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment(variables), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")

    def compose(self, **settings: object) -> None:
        """Writes `params.yaml` like `dvc exp run -S …`."""
        overrides = [f"{name}={value}" for name, value in (SETTINGS | settings).items()]
        code = "import sys; from dvc.utils.hydra import compose_and_dump as compose;"
        code += "compose('params.yaml', sys.argv[1], None, 'config', '.', sys.argv[2:])"
        self.run(sys.executable, "-c", code, str(self.folder / "conf"), *overrides)

    def train(self, phase: str, *before: str, **variables: str) -> None:
        """Trains one phase, with the command of the DVC stage."""
        self.run(*before, str(BIN / "python"), "src/gogooku3", "stages", "train", phase, **variables)

    def copy(self, target: Path) -> Place:
        shutil.copytree(self.folder, target, symlinks=True)
        return Place(target)

    def forget(self) -> None:
        """Removes all outputs, DVC's cache and its run cache."""
        for name in (".dvc/cache", ".dvc/tmp", "data/quotes", "data/dataset", *(f"models/{name}" for name in PHASES)):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        self.run("git", "checkout", "--quiet", "--", ".")

    def bytes(self, *names: str) -> dict[str, bytes]:
        """The content of all files under some paths, by relative path; hidden files and folders are skipped."""
        files = [file for name in names for file in _files(self.folder / name) if not _hidden(file, self.folder)]
        return {str(file.relative_to(self.folder)): file.read_bytes() for file in files}

    def domain(self, phase: str) -> str:
        """The numerics domain in which a phase's history promises equal bytes."""
        history = json.loads((self.folder / f"models/{phase}/history.json").read_text())
        return str(history["environment"]["exact_on"])


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def _files(path: Path) -> list[Path]:
    return sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
