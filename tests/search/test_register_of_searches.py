"""The register has the trials of a real search, real DVC experiments and releases, and a clone writes it again."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from gogooku3 import paths
from gogooku3.recovery.trials import count

from .conftest import PIPELINE, STAGE, Toy

SESSIONS = """
import random
draw = random.Random(0)
lines = ["Date,net,rank_ic_1"]
days = [f"2024-{month:02}-{day:02}" for month in (1, 2, 3) for day in range(4, 24)]
lines += [f"{day},0.01,{skill + draw.gauss(0, 0.02)}" for day in days]
Path("metrics/sessions").mkdir(exist_ok=True)
Path("metrics/sessions/validation.csv").write_text(chr(10).join(lines) + chr(10))
"""


@pytest.fixture
def tried(toy: Toy) -> Toy:
    """Ten trials: five of a search, five by hand, of which one fails and one is undefined; two releases."""
    metrics = "[metrics/validation.json: {cache: false, persist: true}]"
    assert metrics in PIPELINE
    track = "\n    plots: [metrics/sessions/validation.csv: {cache: false, persist: true}]"
    (toy.folder / "dvc.yaml").write_text(PIPELINE.replace(metrics, metrics + track))
    (toy.folder / "stage.py").write_text(STAGE + SESSIONS)
    toy.run("dvc", "repro", "--quiet")
    toy.run("git", "add", "--all")
    toy.run("git", "commit", "--quiet", "--message", "With sessions")
    toy.run("git", "tag", "--annotate", "--message", "By hand", "demo@v1.0.0")
    toy.space({"model.backbone.hidden_size": {"choices": [8, 16, 32, 64, 128]}}, trials=5)
    toy.search()
    for seed in (2, 3, 5, 6, 8):
        toy.run(
            *("dvc", "exp", "run", "--name", f"seed-{seed}", "--message", f"Seed {seed} is as good | as any"),
            *("-S", f"train.recipe.seed={seed}"),
            check=seed != 6,
        )
        toy.run("git", "checkout", "--quiet", "--force", "HEAD", "--", ".")
    best = max(rows(toy), key=lambda row: (row["rank_ic"] or {}).get("value") or 0)
    toy.run("dvc", "exp", "apply", best["names"][0])
    toy.run("git", "add", "--update")
    toy.run("git", "commit", "--quiet", "--message", "The best trial")
    toy.run("git", "tag", "--annotate", "--message", "By hand", "demo@v1.1.0")
    return toy


def rows(toy: Toy) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(toy.run("gogooku3", "experiments", "--json").stdout)["experiments"]
    return found


@pytest.mark.slow
def test_a_fresh_clone_writes_the_same_register_of_ten_trials_and_two_releases(tried: Toy) -> None:
    found = {row["names"][0]: row for row in rows(tried) if row["names"]}
    searched = [name for name in found if re.fullmatch(r"space-\d", name)]
    assert sorted(row["kind"] for row in found.values()) == ["experiment"] * 4 + ["trial"] * len(searched)
    released = {tag: name for name, row in found.items() for tag in row["released"]}
    assert released.keys() == {"demo@v1.0.0", "demo@v1.1.0"}
    winner = found[released["demo@v1.1.0"]]
    assert (winner["verdict"], winner["kind"]) == ("better", "trial")
    assert [*winner["parameters"]] == ["model.backbone.hidden_size"]
    assert (found["seed-2"]["verdict"], found["seed-2"]["hypothesis"]) == ("worse", "Seed 2 is as good | as any")
    assert (found["seed-5"]["verdict"], found["seed-5"]["reason"]) == ("not compared", "it has no mean RankIC")
    assert "seed-6" not in found

    tried.run("gogooku3", "experiments", "conclude", "seed-8", "The seed matters more than the width")
    tried.run("gogooku3", "experiments")
    page = (tried.folder / paths.REGISTER).read_text()
    assert f"{count(tried.folder, 'demo').count} different results on validation (trials)" in page
    tried.run("git", "add", "docs")
    tried.run("git", "commit", "--quiet", "--message", "The register")
    server = tried.folder.parent / "server.git"
    tried.run("git", "clone", "--quiet", "--bare", str(tried.folder), str(server))
    tried.run("git", "remote", "add", "origin", str(server))
    tried.run("git", "push", "--quiet", "origin", "HEAD", "--tags")
    tried.run("dvc", "exp", "push", "--all-commits", "--no-cache", "origin")

    clone = Toy(tried.folder.parent / "clone")
    tried.run("git", "clone", "--quiet", str(server), str(clone.folder))
    few = clone.run("gogooku3", "experiments").stderr
    assert f"the page listed {len(searched) + 4} DVC experiments, and this clone has 0" in few
    clone.run("dvc", "exp", "pull", "--all-commits", "--no-cache", "origin")
    clone.run("gogooku3", "experiments")
    assert (clone.folder / paths.REGISTER).read_text() == page
    clone.run("gogooku3", "experiments", "--check")
    assert clone.run("git", "status", "--porcelain").stdout == ""
