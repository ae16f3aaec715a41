"""The playbook's command blocks work as described, one after the other."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from ..jquants import KEY, Exchange, serving, small
from ..verbs import VERBS
from .conftest import SMALL

PLAYBOOK = Path(__file__).parents[2] / "docs/playbook.md"
BLOCK = re.compile(
    r"^```bash(?P<slow> slow)?(?: exits=(?P<code>\d+))?\n(?P<commands>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """A command block, its line, and its expected exit code."""

    line: int
    commands: str
    code: int
    slow: bool


def blocks() -> list[Block]:
    text = PLAYBOOK.read_text(encoding="utf-8")
    return [
        Block(text[: match.start()].count("\n") + 1, match["commands"], int(match["code"] or 0), bool(match["slow"]))
        for match in BLOCK.finditer(text)
    ]


def write_down(workspace: Any, parameters: dict[str, str]) -> None:
    """Writes parameters into `conf`, from which the next experiment is composed."""
    path = workspace.folder / "conf/tier/demo.yaml"
    package, _, _ = path.read_text().partition("\n")
    tier = OmegaConf.merge(OmegaConf.load(path), OmegaConf.from_dotlist([f"{k}={v}" for k, v in parameters.items()]))
    path.write_text(f"{package}\n{OmegaConf.to_yaml(tier)}")
    workspace.commit("The small experiment's parameters in conf")


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    """J-Quants' data for the days in the playbook."""
    with serving(small()) as running:
        running.page = 100
        yield running


@pytest.fixture
def environment(workspace: Any, bucket: Any, exchange: Exchange, tmp_path: Path) -> dict[str, str]:
    """A trained model, its Git server, its bucket, J-Quants, and another folder: what the playbook takes for
    granted."""
    write_down(workspace, SMALL)
    server, settings, elsewhere = tmp_path / "server.git", tmp_path / "settings", tmp_path / "elsewhere"
    workspace.run("git", "clone", "--quiet", "--bare", str(workspace.folder), str(server))
    workspace.run("git", "remote", "add", "origin", str(server))
    settings.write_text(
        f"['remote \"store\"']\n    url = {bucket.url}\n    endpointurl = {bucket.endpoint}\n"
        "    allow_anonymous_login = true\n"
    )
    shutil.copyfile(settings, workspace.folder / ".dvc/config.local")
    elsewhere.mkdir()
    (tmp_path / "gitconfig").write_text("[user]\n    name = Test\n    email = test@example.com\n")
    return os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig"),
        "URL": str(server),
        "SETTINGS": str(settings),
        "ELSEWHERE": str(elsewhere),
        "JQUANTS_API_KEY": KEY,
        "JQUANTS_API_URL": exchange.address,
    }


def follow(chosen: list[Block], start: Path, environment: dict[str, str]) -> None:
    for block in chosen:
        command = ["bash", "-euo", "pipefail", "-c", block.commands]
        done = subprocess.run(command, cwd=start, env=environment, capture_output=True, text=True, check=False)
        where = f"{PLAYBOOK.name}, line {block.line}"
        assert done.returncode == block.code, f"{where}:\n{block.commands}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, where


@pytest.mark.slow
def test_the_playbook_works(workspace: Any, environment: dict[str, str]) -> None:
    chosen = [block for block in blocks() if not block.slow]
    assert len(chosen) > 10
    follow(chosen, workspace.folder, environment)


@pytest.mark.slow
def test_the_playbook_works_with_what_takes_long(workspace: Any, environment: dict[str, str]) -> None:
    follow(blocks(), workspace.folder, environment)


def test_every_verb_stands_in_the_playbook() -> None:
    commands = "".join(block.commands for block in blocks())
    assert {verb for verb in VERBS if " " not in verb and f"gogooku3 {verb}" not in commands} == set()
