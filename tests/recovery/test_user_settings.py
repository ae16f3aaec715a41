"""Settings of other people's machines change no verb's output: each verb prints the same, or refuses in one line."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gogooku3.cli import main
from gogooku3.recovery.promote import promote
from gogooku3.recovery.releases import git
from gogooku3.recovery.releases.clone import clone

from .lab import Lab

GIT_SETTINGS = {
    "clone.defaultRemoteName": "[clone]\n defaultRemoteName = upstream",
    "safe.bareRepository": "[safe]\n bareRepository = explicit",
    "column.ui": "[column]\n ui = always",
    "color.ui": "[color]\n ui = always\n status = always\n diff = always",
    "core.fileMode": "[core]\n fileMode = false",
    "core.quotePath": "[core]\n quotePath = true",
    "core.pager": "[core]\n pager = false\n[pager]\n tag = true\n log = true\n diff = true\n status = true",
    "core.hooksPath": "[core]\n hooksPath = {hooks}",
    "core.fsmonitor": "[core]\n fsmonitor = {hooks}/fsmonitor",
    "core.autocrlf=true": "[core]\n autocrlf = true",
    "core.autocrlf=input": "[core]\n autocrlf = input\n safecrlf = true",
    "core.eol": "[core]\n eol = crlf",
    "core.attributesFile": "[core]\n attributesFile = {attributes}\n[filter \"upper\"]\n smudge = tr a-z A-Z",
    "core.excludesFile": "[core]\n excludesFile = {excludes}",
    "diff": (
        "[diff]\n external = {hooks}/fsmonitor\n noprefix = true\n mnemonicPrefix = true\n relative = true\n"
        " algorithm = histogram\n renames = copies\n orderFile = {excludes}"
    ),
    "fetch": "[fetch]\n prune = true\n pruneTags = true\n recurseSubmodules = true",
    "init": "[init]\n defaultObjectFormat = sha256\n defaultBranch = trunk\n templateDir = {template}",
    "log": "[log]\n showSignature = true\n follow = true\n decorate = full\n date = relative",
    "protocol.file": "[protocol \"file\"]\n allow = never",
    "sign": "[tag]\n gpgSign = true\n forceSignAnnotated = true\n[commit]\n gpgSign = true\n[gpg]\n program = false",
    "status": "[status]\n short = true\n branch = true\n showUntrackedFiles = no\n relativePaths = false\n renames = copies",
    "submodule.recurse": "[submodule]\n recurse = true",
    "tag.sort": "[tag]\n sort = -version:refname",
    "insteadOf": "[url \"https://git.invalid/\"]\n insteadOf = https://example.com/",
}
"""Global settings of Git, each of which is common or breaks a careless caller."""

VARIABLES = {
    "GIT_DEFAULT_HASH": "sha256",
    "GIT_EXTERNAL_DIFF": "false",
    "GIT_ICASE_PATHSPECS": "1",
    "LANG": "ja_JP.UTF-8",
    "LANGUAGE": "ja:de",
}

READING = (
    ("tiers", "--json"),
    ("tiers",),
    ("leaderboard", "--check"),
    ("diff", "tier1@v1.0.0", "tier1@v1.1.0", "--json"),
    ("diff", "tier1@v1.0.0", "--json"),
    ("locate", "models/package"),
    ("locate", "tier1@v1.0.0", "--json"),
    ("audit", "--all-tags", "--json"),
)


@pytest.fixture(scope="module")
def released(trained: Lab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A test repository with two releases and a changed, an executable and a new file of code."""
    lab = trained.copy(tmp_path_factory.mktemp("released"))
    promote(lab.folder, "tier1")
    code = lab.folder / "src/gogooku3/training/code.py"
    code.write_text("one\n2\nthree\nfour\n")
    lab.train(2, 0.07)
    promote(lab.folder, "tier1")
    code.chmod(0o755)
    (lab.folder / "src/gogooku3/training/neu für alle.py").write_text("new\n")
    return lab


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Gives this process and its children a global Git configuration."""

    def use(config: str) -> None:
        home = tmp_path / "a home"
        hooks = home / "hooks"
        hooks.mkdir(parents=True)
        for name in ("reference-transaction", "post-checkout", "pre-push", "post-index-change", "fsmonitor"):
            (hooks / name).write_text("#!/bin/sh\necho refused by a hook >&2\nexit 1\n")
            (hooks / name).chmod(0o755)
        (home / "template").mkdir()
        shutil.copytree(hooks, home / "template/hooks")
        (home / "attributes").write_text("* text eol=crlf\n*.yaml filter=upper\n*.lock filter=upper diff=upper\n")
        (home / "excludes").write_text("*.py\n*.yaml\nmetrics\nmodels\n")
        places = {name: home / name for name in ("hooks", "template", "attributes", "excludes")}
        (home / ".gitconfig").write_text(
            config.format_map({name: str(place).replace(" ", " ") for name, place in places.items()}) + "\n"
        )
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))

    return use


def printed(lab: Lab, *verb: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, verb)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


@pytest.fixture(scope="module")
def expected(released: Lab) -> dict[tuple[str, ...], tuple[int, str]]:
    """What the verbs print with no configuration."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(released.folder)
        patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        (released.folder / "docs").mkdir()
        assert printed(released, "leaderboard")[0] == 0
        released.run("git", "status")
        return {verb: printed(released, *verb) for verb in READING}


def commit_files(folder: Path) -> dict[str, bytes]:
    names = git.run(folder, "ls-files", "-z").split("\0")[:-1]
    return {name: (folder / name).read_bytes() for name in names}


@pytest.mark.parametrize("setting", GIT_SETTINGS)
def test_reading_verbs_print_the_same(
    setting: str,
    released: Lab,
    expected: dict[tuple[str, ...], tuple[int, str]],
    machine: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    machine(GIT_SETTINGS[setting])
    monkeypatch.chdir(released.folder)
    for verb in READING:
        assert printed(released, *verb) == expected[verb], verb
    clone(str(released.folder), "tier1@v1.0.0", tmp_path / "clone")
    assert git.changes(tmp_path / "clone") == []
    clone(str(released.folder), "tier1@v1.0.0", tmp_path / "clone")
