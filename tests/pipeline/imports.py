"""The code and the libraries that a stage imports, and how `dvc.yaml` names them."""

from __future__ import annotations

import ast
import copy
import sys
from collections.abc import Iterable
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import grimp
from grimp import ImportGraph
from packaging.utils import canonicalize_name

SOURCE = Path(__file__).parents[2] / "src"

UNHASHED = (
    *("gogooku3.config", "gogooku3.errors", "gogooku3.progress", "gogooku3.source", "gogooku3.startup"),
    *("gogooku3.objective", "gogooku3.paths", "gogooku3.walk_forward.print_plan"),
)
"""The parameters are hashed themselves, `objective` names their metrics, and `dvc.yaml` has the paths; errors and
`startup` end a stage, `progress` and `print_plan` only print, and `source` chooses the code that a process runs: none
can change a result."""

NAMED_BY_HASH = {"parent": "gogooku3.recovery"}
"""Code that only fetches outputs by hash: the bytes are these, or the stage fails."""

COMPUTES_NOTHING = {"dvc": "tells where its cache is", "psutil": "counts cores and memory", "rich": "prints"}
PINNED_BY = {"triton": "torch"}
"""Libraries of CUDA builds that are not locked, and the library whose version fixes theirs."""
COMES_WITH = {
    "altair": ["vl-convert-python"],  # draws its charts
    "exchange-calendars": ["pandas"],
    "lightgbm": ["scipy"],
    "scikit-learn": ["scipy"],
}
"""Libraries that others use for computation, or that affect their results."""


def belongs(module: str, packages: Iterable[str]) -> bool:
    """Whether a module is one of these packages, or inside one."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def file_of(module: str) -> Path:
    """The source file of a module."""
    path = SOURCE / Path(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def is_empty(module: str) -> bool:
    """Whether a module consists of a docstring."""
    return [type(node) for node in ast.parse(file_of(module).read_text(encoding="utf-8")).body] == [ast.Expr]


@cache
def _whole(libraries: bool) -> ImportGraph:
    return grimp.build_graph("gogooku3", include_external_packages=libraries, cache_dir=None)


def graph(stage: str, *, libraries: bool = False) -> ImportGraph:
    """The import graph without code in `NAMED_BY_HASH`."""
    graph = copy.deepcopy(_whole(libraries))
    if stage in NAMED_BY_HASH:
        graph.squash_module(NAMED_BY_HASH[stage])
        graph.remove_module(NAMED_BY_HASH[stage])
    return graph


@cache
def imported(stage: str) -> frozenset[Path]:
    """Files that a stage imports, directly or indirectly, except the runner's own."""
    own = f"gogooku3.stages.{stage}"
    modules = graph(stage).find_upstream_modules(own) | {own, "gogooku3.runtime.numerics"}
    return frozenset(file_of(module) for module in modules if not belongs(module, UNHASHED))


@cache
def libraries(stage: str) -> frozenset[str]:
    """Distributions that a stage uses: the imports of its hashed modules, and their own dependencies for computation.

    `numerics` configures loaded libraries and computes nothing.
    """
    imports = graph(stage, libraries=True)
    for module in [module for module in imports.modules if belongs(module, (*UNHASHED, "gogooku3.runtime.numerics"))]:
        imports.remove_module(module)
    packages = imports.find_upstream_modules(f"gogooku3.stages.{stage}") - sys.stdlib_module_names
    distributions = packages_distributions()
    names = {
        canonicalize_name(distributions[package][0])
        for package in packages
        if package.split(".")[0] != "gogooku3" and package not in PINNED_BY
    }
    return frozenset({*names, *(other for name in names for other in COMES_WITH.get(name, []))} - {*COMPUTES_NOTHING})
