"""A repository of results: real Git, the project's parameters, experiments at the references that DVC gives them."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PARAMS = (Path(__file__).parents[3] / "params.yaml").read_text().replace("draws: 1000", "draws: 100")


@dataclass
class Records:
    """Commits with parameters, a lock file and validation results, one minute after another."""

    root: Path
    clock: int = field(default=1_700_000_000)

    def git(self, *arguments: str, stdin: str | None = None) -> str:
        date = f"@{self.clock} +0000"
        environment = os.environ | {"GIT_COMMITTER_DATE": date, "GIT_AUTHOR_DATE": date}
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, env=environment, input=stdin, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def result(self, rank_ic: float, *, seed: int = 1, message: str = "A result", **parameters: Any) -> str:
        """Commits a result; `parameters` are texts of params.yaml, and `tier` is the name of the tier."""
        self.measure(rank_ic, seed=seed)
        text = PARAMS
        for name, value in parameters.items():
            key = "name" if name == "tier" else name
            text, count = re.subn(rf"^( *{key}): .*$", rf"\1: {value}", text, count=1, flags=re.MULTILINE)
            assert count == 1, name
        self.write("params.yaml", text)
        self.write("dvc.lock", f"{text}# {rank_ic} {seed}\n")
        return self.commit(message)

    def measure(self, rank_ic: float, *, seed: int = 1, horizons: tuple[int, ...] = (1, 5), sessions: int = 60) -> None:
        shared = np.random.default_rng(5).standard_normal((sessions, len(horizons)))
        own = np.random.default_rng(seed).standard_normal((sessions, len(horizons)))
        values = rank_ic + 0.1 * shared + 0.005 * own
        dates = np.datetime64("2024-01-01") + np.arange(sessions)
        lines = [f"Date,net,{','.join(f'rank_ic_{h}' for h in horizons)}"]
        lines += [f"{date},0.01,{','.join(map(str, row))}" for date, row in zip(dates, values, strict=True)]
        self.write("metrics/sessions/validation.csv", "\n".join(lines) + "\n")
        cells = {str(h): {"value": mean} for h, mean in zip(horizons, values.mean(axis=0), strict=True)}
        mean = {"value": values.mean(), "low": values.mean() - 0.1, "high": values.mean() + 0.1}
        table = {"from": str(dates[0]), "to": str(dates[-1]), "rank_ic": cells, "mean_rank_ic": mean}
        self.write("metrics/validation.json", json.dumps(table | {"sharpe": {"value": 1.0, "low": 0.5, "high": 1.5}}))

    def commit(self, message: str) -> str:
        self.clock += 60
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--file=-", stdin=message)
        return self.git("rev-parse", "HEAD")

    def keep(self, name: str, base: str = "HEAD~") -> str:
        """Makes the commit at HEAD an experiment of its parent, as `dvc exp run` does; returns it."""
        commit, parent = self.git("rev-parse", "HEAD"), self.git("rev-parse", base)
        self.git("update-ref", f"refs/exps/{parent[:2]}/{parent[2:]}/{name}", commit)
        self.git("reset", "--quiet", "--hard", parent)
        return commit

    def experiment(self, name: str, rank_ic: float, **options: Any) -> str:
        self.result(rank_ic, **{"message": f"dvc: commit experiment {'0' * 64}"} | options)
        return self.keep(name)

    def release(self, tag: str, rev: str = "HEAD") -> None:
        self.clock += 60
        self.git("tag", "--annotate", "--message", "By hand", tag, rev)

    def references(self) -> str:
        return self.git("for-each-ref")


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Records:
    """One result of the demo, at the current folder."""
    root = tmp_path / "repository"
    root.mkdir()
    made = Records(root)
    made.git("init", "--quiet", "--initial-branch=main")
    for name, value in (("user.name", "Test"), ("user.email", "test@example.com")):
        made.git("config", name, value)
    made.result(0.05)
    monkeypatch.chdir(root)
    return made
