"""CONTRIBUTING lists existing files, folders, stages and commands, in the order of the import layers."""

from __future__ import annotations

import re
import shlex
import tomllib
from argparse import ArgumentParser, _SubParsersAction
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.cli.parser import get_main_parser

from .verbs import find

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src/gogooku3"
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")

FENCE = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPANS = re.findall(r"`([^`\n]+)`", FENCE.sub("", TEXT))
PATH = re.compile(r"\.?[\w*-][\w.*-]*(/[\w.*-]+)*/?")
NAMED_LIKE_FILES = re.compile(r".*/.*|.*\.(py|md|toml|yaml|lock|json|j2)")
ROW = re.compile(r"^\| `(\w+)/` \| (.+?) \| (.+?) \|$", re.MULTILINE)
LAYOUT = {folder: hashed for folder, _, hashed in ROW.findall(TEXT)}

PATHS = sorted({span for span in SPANS if PATH.fullmatch(span) and NAMED_LIKE_FILES.fullmatch(span)})
LINES = [line.partition("#")[0] for block in FENCE.findall(TEXT) for line in block.splitlines()]
COMMANDS = sorted(
    {
        words
        for line in (*LINES, *SPANS)
        if re.match(r"(make|dvc|gogooku3|python|pytest) ", line)
        for words in [tuple(shlex.split(line.partition(" > ")[0]))]
    }
)


def folders() -> set[str]:
    return {path.parent.name for path in SOURCE.glob("*/__init__.py")}


def stages() -> dict[str, Any]:
    pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    return {name: stage.get("do", stage) for name, stage in pipeline.items()}


def test_the_text_is_parsed_correctly() -> None:
    assert len(PATHS) > 60
    assert {command[0] for command in COMMANDS} == {"make", "dvc", "gogooku3", "python", "pytest"}


@pytest.mark.parametrize("path", PATHS)
def test_every_path_exists(path: str) -> None:
    assert any(any(folder.glob(path)) for folder in (ROOT, SOURCE))


def test_every_folder_of_the_source_is_in_the_list() -> None:
    assert LAYOUT.keys() == folders()


@pytest.mark.parametrize("folder", LAYOUT)
def test_a_folder_is_hashed_by_the_stages_that_the_list_names(folder: str) -> None:
    description, named = LAYOUT[folder], set(re.findall(r"`(\w+)`", LAYOUT[folder]))
    if description.startswith("every stage"):
        named = stages().keys() - named
    place = f"src/gogooku3/{folder}"
    assert named == {
        name for name, stage in stages().items() if any(f"{dep}/".startswith(f"{place}/") for dep in stage["deps"])
    }


def test_imports_run_from_the_bottom_of_the_list_to_its_top() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = reversed(settings["tool"]["importlinter"]["contracts"][0]["layers"])
    heights = {name.split(".")[1]: height for height, layer in enumerate(layers) for name in layer.split(" | ")}
    assert list(LAYOUT) == sorted(LAYOUT, key=heights.__getitem__)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_exists(command: tuple[str, ...]) -> None:
    program, *rest = command
    if program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        assert set(rest) <= set(targets)
    elif program == "gogooku3":
        context, arguments = find(rest)
        known = {option for each in context.command.params for option in each.opts}
        assert {word for word in arguments if word.startswith("-")} <= known
    elif program == "dvc":
        parser: ArgumentParser | None = get_main_parser()
        while parser is not None and (groups := [a for a in parser._actions if isinstance(a, _SubParsersAction)]):
            parser = groups[0].choices[rest.pop(0)]
        assert parser is not None
        known = {option for action in parser._actions for option in action.option_strings}
        assert {word for word in rest if word.startswith("-")} <= known
        if command[1] == "repro" or command[1:3] == ("exp", "run"):
            assert {word for word in rest if not word.startswith("-")} <= stages().keys()
    else:
        path = ROOT / rest[0]
        assert path.exists()
        options = [word for word in rest if word.startswith("--")]
        assert program == "pytest" or all(f'"{option}"' in path.read_text(encoding="utf-8") for option in options)
