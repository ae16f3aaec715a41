"""What stages read while they run, as `recorder/sitecustomize.py` notes it, and what `dvc.yaml` declares for them.

Reads that cannot change a result do not count. The constants below name them, each with its reason.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from dvc.fs import LocalFileSystem
from dvc.parsing import DataResolver, make_definition
from omegaconf import OmegaConf

from .conftest import ROOT, Workspace
from .imports import NAMED_BY_HASH, UNHASHED, belongs, file_of, imported, is_empty, libraries

LIBRARIES = "locks/libs.yaml"

REFUSES = {
    "model/probe.py:mismatch": "compares this machine with the known ones of its domain",
    "config:__post_init__": "validates a section",
    "training/start.py:require_match": "compares the network of the last phase with that of the base model",
}
"""Functions that only refuse or warn, in addition to the modules in `UNHASHED`."""

NO_EFFECT = {
    "numerics.strict": (
        "model/probe.py:prepare",  # decides between a warning and an error
        "model/probe.py:current_domain",  # as a key of `probe`'s cache
        "runtime/numerics.py:result_parameters",  # leaves it out
    ),
    **dict.fromkeys(("numerics.device", "numerics.processes"), ("stages/run_record.py:_gpu",)),  # after the run
    "card": ("report/results.py:read_results",),  # leaves it out
}
"""Parameters, and the functions that read them without an effect on a result."""

PIN = "runtime/numerics.py:pin"
PINNED = {"numerics.instruction_set": {"numpy"}, "numerics.threads": {"lightgbm", "scikit-learn", "torch"}}
"""Parameters that `pin` reads for every stage, and the libraries whose results depend on them.

NumPy's threads share matrix products only. In stages without the other libraries these are of integers, thus exact:
`test_other_threads_change_no_byte_of_the_stages_that_do_not_declare_them`.
"""

COPIES = {"data/.dataset.panel": "data/dataset"}
"""Folders with the values of another one, found by its hash."""

NO_INPUTS = {
    "./": "where Python looks for modules",
    ".dvc/config": "where DVC's cache is; it gives the dataset's finished months by the hash of their inputs",
    ".dvc/config.local": "as `.dvc/config`",
    "src/gogooku3/known_probes.json": "read by `mismatch`",
}
"""Files that a stage reads, but which change no result."""

FETCHES = (".git", ".gitattributes", ".gitignore", ".dvc", ".dvcignore", "dvc.lock", "dvc.yaml")
"""What Git and DVC read for the stages in `NAMED_BY_HASH`: where the hashes are, and the files with them."""

RUNNER = {
    *("gogooku3", "gogooku3.__main__"),
    *(f"gogooku3.stages.{name}" for name in ("__main__", "restore_hint", "run_record", "worker")),
}
"""Modules that start a stage."""


@dataclass(eq=False)
class Record:
    """What one instance of a stage read: names by kind, each with the call stacks that read it."""

    reads: dict[str, dict[str, set[str]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(set)))


@dataclass(frozen=True)
class Declared:
    """The entries of one instance of a stage; dependencies and parameters each as written and as resolved."""

    deps: list[tuple[str, str]]
    params: list[tuple[str, str]]
    """Dotted keys of `params.yaml`; empty for the whole file."""
    libraries: list[str]
    outs: tuple[str, ...]


class Configuration:
    """A folder in which stages ran with its `params.yaml`, and what each of them read."""

    def __init__(self, folder: Path, records: Path) -> None:
        self.records: dict[str, Record] = defaultdict(Record)
        """By the name of the stage's instance, such as `train@gat`."""
        for file in records.iterdir():
            for line in file.read_text(encoding="utf-8").splitlines():
                kind, name, readers = line.split("\t")
                self.records[file.name.rpartition(".")[0]].reads[kind][name].add(readers)
        self._folder = folder
        self._leaves = [*_leaves(OmegaConf.to_container(OmegaConf.load(folder / "params.yaml")), "")]
        # The parts of a repository with which DVC resolves `dvc.yaml`.
        repository: Any = SimpleNamespace(fs=LocalFileSystem(url=str(folder)), config={})
        self._resolver = DataResolver(repository, str(folder), {})

    def declared(self, stage: str, definition: Mapping[str, Any]) -> dict[str, Declared]:
        """The instances of a stage in this configuration, as DVC resolves them."""
        made = make_definition(self._resolver, stage, dict(definition))
        resolved = made.resolve_all() if "do" in definition else made.resolve()
        return {name: _declared(definition, each) for name, each in (resolved or {}).items()}

    def leaves(self, key: str) -> list[str]:
        """The keys of the single values of `params.yaml` at or below a key."""
        return [leaf for leaf in self._leaves if within(leaf, key, ".")]

    @cache  # noqa: B019
    def files(self, dep: str) -> list[str]:
        """The files in a folder of data, and none of a file or of a folder of code."""
        paths = [] if dep.startswith("src/") else [path for path in (self._folder / dep).rglob("*") if path.is_file()]
        return [str(path.relative_to(self._folder)) for path in paths if path.name != ".gitignore"]


def record(workspace: Workspace, parameters: dict[str, str], *instances: str) -> Configuration:
    """Runs instances of stages, such as `fold@1`, one after the other with other parameters, and records them."""
    workspace.compose(parameters)
    records = workspace.folder.parent / "reads"
    variables = workspace.recording(records)
    for instance in instances:
        stage, _, key = instance.partition("@")
        arguments = [key] if stage in ("train", "member", "fold", "fold_baselines") else []
        command = [sys.executable, "src/gogooku3", "stages", stage, *arguments]
        workspace.run(*command, DVC_STAGE=instance, **variables)
    return Configuration(workspace.folder, records)


def entries(definition: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The kind of each entry of a stage, `deps`, `params` or `libraries`, and the entry as written in `dvc.yaml`."""
    own = definition.get("do", definition)
    return [*(("deps", dep) for dep in own["deps"]), *_params(own["params"])]


def _params(listed: list[Any]) -> Iterator[tuple[str, str]]:
    for entry in listed:
        for file, keys in (entry if isinstance(entry, dict) else {"params.yaml": [entry]}).items():
            yield from (("libraries" if file == LIBRARIES else "params", key) for key in keys or [""])


def _declared(definition: Mapping[str, Any], resolved: Mapping[str, Any]) -> Declared:
    pairs: dict[str, list[tuple[str, str]]] = {"deps": [], "params": [], "libraries": []}
    for (kind, written), (_, value) in zip(entries(definition), entries(resolved), strict=True):
        pairs[kind].append((written, value))
    outs = [out for kind in ("outs", "metrics", "plots") for out in resolved.get(kind, [])]
    names = tuple(next(iter(out)) if isinstance(out, dict) else out for out in outs)
    return Declared(pairs["deps"], pairs["params"], [value for _, value in pairs["libraries"]], names)


def _leaves(value: object, key: str) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for name, each in value.items():
            yield from _leaves(each, f"{key}.{name}" if key else name)
    else:
        yield key


def within(name: str, other: str, separator: str = "/") -> bool:
    """Whether a path or key is another one, or inside it; everything is inside the empty key."""
    return not other or name == other or name.startswith(other + separator)


# What counts.


@cache
def files_of(stage: str, record: Record, outs: tuple[str, ...]) -> frozenset[str]:
    """The data, templates and folders that a stage read, except in its own outputs."""
    paths = set()
    fetches = FETCHES if stage in NAMED_BY_HASH else ()
    for path in record.reads["file"].keys() - NO_INPUTS.keys():
        is_code = path.startswith("src/") and path.endswith((".py", ".pyc", "/"))
        is_hash = any(within(path.rstrip("/"), each) for each in fetches)
        if not is_code and not is_hash and not any(_is_own(path.rstrip("/"), Path(out)) for out in outs):
            paths.add(next((original for copied, original in COPIES.items() if within(path, copied)), path))
    return frozenset(paths)


def _is_own(path: str, out: Path) -> bool:
    """Whether a path is an output, which DVC removes before the stage, unfinished work for it, which has the hashes of
    its inputs, or a folder that contains it."""
    return within(path, str(out)) or within(path, str(out.with_name(f".{out.name}.partial"))) or within(str(out), path)


@cache
def code_of(stage: str, record: Record) -> frozenset[str]:
    """The source files that a stage imports, and those that were loaded when it ended."""
    modules = {module for module in record.reads["module"] if module not in RUNNER and not belongs(module, UNHASHED)}
    # For such code, loaded modules do not show which of them the stage imports itself.
    loaded = set() if stage in NAMED_BY_HASH else {file_of(module) for module in modules if not is_empty(module)}
    return frozenset(str(path.relative_to(ROOT)) for path in imported(stage) | loaded)


@cache
def params_of(stage: str, record: Record) -> frozenset[str]:
    """The parameters that a stage read where they can change a result."""
    pinned = {key for key, depending in PINNED.items() if not depending.isdisjoint(libraries(stage))}
    return frozenset(
        key
        for key, stacks in record.reads["param"].items()
        if any(_counts(stage, key, stack) and (not stack.endswith(PIN) or key in pinned) for stack in stacks)
    )


def _counts(stage: str, key: str, stack: str) -> bool:
    """Whether a call stack, such as `stages/__main__.py:run_stage stages/train.py:run`, can change a result by a read.

    What the runner calls, except the stage and `pin`, checks the parameters of all stages.
    """
    _, _, called = stack.rpartition("stages/__main__.py:run_stage")
    functions = called.split()
    if called != stack and (not functions or functions[0] not in (PIN, f"stages/{stage}.py:run")):
        return False
    idle = any(within(key, each, ".") and stack.endswith(readers) for each, readers in NO_EFFECT.items())
    return not idle and not any(_refuses(function) for function in functions)


def _refuses(function: str) -> bool:
    path, _, name = function.partition(":")
    module = f"gogooku3.{path.removesuffix('.py').removesuffix('/__init__').replace('/', '.')}"
    if belongs(module, ["gogooku3.config"]):
        return f"config:{name}" in REFUSES
    return function in REFUSES or belongs(module, UNHASHED)
