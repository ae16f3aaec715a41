"""The pipeline's outputs have their paths in `paths`; no other module has a literal path of the repository."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
import yaml

from gogooku3 import paths

ROOT = Path(__file__).parents[1]
CODE = ROOT / "src/gogooku3"

CONSTANTS = {name: value for name, value in vars(paths).items() if isinstance(value, Path)}
COMPLETED = {
    name: function
    for name, function in inspect.getmembers(paths, inspect.isfunction)
    if len(inspect.signature(function).parameters) == 1
}
"""Functions that complete a path by the name of a split, a phase, a fold or a chart."""

SPELLED_ELSEWHERE = {
    # It goes out alone with an archive, and imports nothing.
    "recovery/archive/standalone.py": {"logs/provenance", "models/package/model.safetensors"},
    # The name of a file in an archive, which stays when the repository calls it otherwise.
    "recovery/archive/manifest.py": {"requirements.lock"},
    # What the parameter files of earlier releases lack; they keep these names.
    "config/renames.py": {"plots/baselines.csv", "plots/walk_forward.csv"},
}


def _outputs() -> Iterator[Path]:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].values()
    for stage in (definition.get("do", definition) for definition in stages):
        for entry in chain(*(stage.get(kind, []) for kind in ("outs", "metrics", "plots"))):
            path = entry if isinstance(entry, str) else next(iter(entry))
            yield Path(re.sub(r"\$\{.*?\}", "*", path))


OUTPUTS = sorted({*_outputs()})
"""Outputs of every stage; `*` stands for a key of `foreach`."""

FOLDERS = [str(path) for path in (paths.DATA, paths.MODELS, paths.METRICS, paths.PLOTS, paths.REPORTS)]
BELOW = {
    name: path
    for name, path in (CONSTANTS | {name: function("*") for name, function in COMPLETED.items()}).items()
    if path.parts[0] in FOLDERS and len(path.parts) > 1
}
"""The paths below the output folders, by name."""


def is_in(path: Path, other: Path) -> bool:
    """Whether a path is equal to or below another one, which may have `*`."""
    return any(place.match(str(other)) for place in (path, *path.parents))


@pytest.mark.parametrize("output", OUTPUTS, ids=str)
def test_every_output_of_the_pipeline_is_one_of_the_paths_or_in_one(output: Path) -> None:
    assert any(is_in(output, path) for path in BELOW.values())


@pytest.mark.parametrize("name", sorted(BELOW.keys() - {"RAW_JQUANTS"}))
def test_every_output_path_is_an_output_or_above_or_below_one(name: str) -> None:
    assert any(is_in(output, BELOW[name]) or is_in(BELOW[name], output) for output in OUTPUTS)


def spelled(source: str) -> set[str]:
    """The paths of the repository among the strings of a module, without docstrings.

    The name of a folder of the root is a word like any other, and a path only where it is used as one.
    """
    tree = ast.parse(source)
    nodes = [*ast.walk(tree)]
    docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    used = {id(part) for node in nodes for part in _joined(node)}
    full_paths = {str(path) for path in CONSTANTS.values() if path.parent != Path() or path.suffix}
    words = {str(path) for path in CONSTANTS.values()} - full_paths
    return {
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
        if node.value in full_paths
        or (node.value in words and id(node) in used)
        or node.value.startswith(tuple(f"{path}/" for path in full_paths | words))
    }


def _joined(node: ast.AST) -> list[ast.expr]:
    """The parts that an expression joins to a path."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return [node.left, node.right]
    if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("Path", "PurePosixPath", "joinpath"):
        return node.args
    return []


def test_no_other_module_has_a_literal_path_of_the_repository() -> None:
    modules = {path.relative_to(CODE).as_posix(): spelled(path.read_text()) for path in CODE.rglob("*.py")}
    assert "data" in modules.pop("paths.py")
    assert {module: found for module, found in modules.items() if found} == SPELLED_ELSEWHERE


@pytest.mark.parametrize(
    "expression",
    [
        'Path("data/dataset")',
        'root / "models"',
        'root / "models/finetune/config.json"',
        'f"metrics/{split}.json"',
        'text(root, "params.yaml")',
    ],
)
def test_a_literal_path_is_found(expression: str) -> None:
    assert spelled(f"print({expression})")


@pytest.mark.parametrize(
    "expression", ['{"data": 1}', 'help="by default `data/dataset`"', 'folder / "metrics.json"', '"dataset"']
)
def test_a_word_or_a_message_is_not_a_path(expression: str) -> None:
    assert not spelled(f"print({expression})")
