"""`dvc.yaml` declares what each stage reads while it runs, and nothing else: files, parameters, code, libraries.

An undeclared read is a stage that does not rerun after a change; a declaration that is never read, a needless rerun.
The small run, and stages run in other configurations, record what they read (`recorder/sitecustomize.py`); the code and
the libraries are also taken from the imports (`imports.py`). What only another configuration reads is read there.
"""

from __future__ import annotations

import copy
import shutil
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from string import Template
from typing import Any

import polars as pl
import pytest
from yaml import safe_load

from gogooku3.config.train import STAGES as SCHEMES
from gogooku3.model.weights import CONFIG, WEIGHTS
from gogooku3.training.phases import PHASES

from ..jquants import KEY, serving, small
from .conftest import ROOT, SMALL, Workspace
from .imports import imported, libraries
from .recording import Configuration, Declared, Record, code_of, entries, files_of, params_of, record, within
from .test_joined import JOINED, give, statements
from .test_jquants import FROM_J_QUANTS

STAGES: dict[str, Any] = safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]

NEED_NOT_READ = {("quotes", "quotes.source"): "selects the section's class when it is loaded"}
"""Parameters that a stage declares, and of which no code reads the value."""

MEMBERS = "models/members"
OF_MEMBERS = {
    stage: {f"{MEMBERS}/2/{phase}/{name}" for phase in phases for name in (CONFIG, WEIGHTS)}
    for stage, phases in {"ensemble": ["finetune"], "attribution": [*PHASES]}.items()
}
"""What stages read of the folder of all members of an ensemble. They cannot name the files in `dvc.yaml`, because a
dependency has no list of seeds."""
CONTENTS = "contents.json"
"""A file with the hashes of all other files of its folder: a stage that reads it depends on them all."""

ZONES = "/usr/share/zoneinfo/"
OUTSIDE = {
    ZONES: "time zones of exchanges, which pandas and exchange_calendars load; Tokyo's is the same since 1951",
    "/dvc/config": "DVC's settings of the system and the user: where its cache is",
}
"""Parts of the paths outside of the repository and the environment that Python may open in a stage."""

WALK = SMALL | {
    "evaluation.scheme": "walk_forward",
    "evaluation.walk_forward.test": "30",
    "evaluation.walk_forward.folds": "[1]",
    "baselines.lightgbm.rounds": "5",
}
FILES = {key: value for key, value in SMALL.items() if not key.startswith("quotes.")} | {
    "quotes": "file",
    **{f"quotes.inputs.{name}": f"data/raw/{name}.parquet" for name in ("bars", "listed", "index")},
}
ENSEMBLE = SMALL | {"train.scheme": "ensemble", "train.further_seeds": "[2]"}
FOLDS = ("plan@walk_forward", "fold@1", "fold_baselines@1", "join@walk_forward")

MORE = frozenset(
    {"quotes", "dataset", "member", "ensemble", "attribution"}
    | {"plan", "fold", "fold_baselines", "join", "report", "package"}
)
"""Stages that read some of their inputs in another configuration only."""
EACH = [pytest.param(stage, marks=[pytest.mark.slow] if stage in MORE else []) for stage in STAGES]

WHOLE = {("quality", "data/quotes")}
"""Folders of which a stage reads only some files, one of which (the oracle) exists for a synthetic market alone: DVC
takes no dependency on a file that may be missing."""

Copied = Callable[[str], Workspace]


@pytest.fixture(scope="module")
def copied(small_run: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Copied:
    """Copies of the small run."""
    return lambda name: small_run.copy(tmp_path_factory.mktemp(name) / "gogooku3")


@pytest.fixture(scope="module")
def default(small_run: Workspace) -> list[Configuration]:
    """The small run."""
    return [Configuration(small_run.folder, small_run.folder.parent / "reads")]


@pytest.fixture(scope="module")
def configurations(default: list[Configuration], copied: Copied) -> list[Configuration]:
    """The small run, and stages that read something else in another configuration."""
    walk, files, joined, ensemble = copied("walk"), copied("files"), copied("joined"), copied("ensemble")
    (files.folder / "data/raw").mkdir(parents=True, exist_ok=True)
    for name in ("bars", "listed", "index"):
        shutil.copyfile(files.folder / f"data/quotes/{name}.parquet", files.folder / f"data/raw/{name}.parquet")
    give(joined, statements(joined))
    return [
        *default,
        record(walk, WALK, *FOLDS, "report", "package"),
        record(files, FILES, "quotes"),
        record(joined, JOINED, "dataset"),
        record(ensemble, ENSEMBLE, "member@2", "ensemble@mean", "attribution"),
    ]


@pytest.fixture
def recorded(stage: str, request: pytest.FixtureRequest) -> list[Configuration]:
    """Runs in which the stage reads all that it declares."""
    runs: list[Configuration] = request.getfixturevalue("configurations" if stage in MORE else "default")
    return runs


def faults(stage: str, definition: Any, configurations: list[Configuration]) -> list[str]:
    """Each read that a stage does not declare, and each declaration that it does not read in any configuration."""
    undeclared: set[str] = set()
    declarations: dict[str, bool] = defaultdict(bool)
    ran = False
    for configuration in configurations:
        records = {name: each for name, each in configuration.records.items() if name.partition("@")[0] == stage}
        declared = configuration.declared(stage, definition) if records else {}
        for name, result in records.items():
            ran = True
            undeclared |= {*_undeclared(stage, name, declared[name], result)}
            for fault, is_read in _declarations(stage, name, declared[name], result, configuration):
                declarations[fault] |= is_read
    unread = [fault for fault, is_read in declarations.items() if not is_read]
    return [*sorted(undeclared), *unread] if ran else [f"{stage} did not run"]


def _undeclared(stage: str, name: str, declared: Declared, record: Record) -> Iterator[str]:
    for path in sorted(files_of(stage, record, declared.outs) | code_of(stage, record)):
        if not any(within(path.rstrip("/"), dep) for _, dep in declared.deps):
            yield f"{name} reads `{path}`, which is not in its `deps`"
    for key in sorted(params_of(stage, record)):
        if not any(within(key, param, ".") for _, param in declared.params):
            yield f"{name} reads `{key}`, which is not in its `params`"
    for library in sorted(libraries(stage) - {*declared.libraries}):
        yield f"{name} computes with `{library}`, which is not in its `params`"


def _declarations(
    stage: str, name: str, declared: Declared, record: Record, configuration: Configuration
) -> Iterator[tuple[str, bool]]:
    """The fault of each declaration if it is not read, and whether it is."""
    files, keys = files_of(stage, record, declared.outs) | code_of(stage, record), params_of(stage, record)
    hashed = [path.removesuffix(f"/{CONTENTS}") for path in files if path.endswith(f"/{CONTENTS}")]
    for written, dep in declared.deps:
        fault = f"{name} declares `{written}`, but does not read"
        yield f"{fault} it", any(within(path.rstrip("/"), dep) or within(dep, path) for path in files)
        for path in configuration.files(dep):
            if (stage, dep) in WHOLE or (dep == MEMBERS and path not in OF_MEMBERS.get(stage, {path})):
                continue
            yield f"{fault} its file `{path}`", any(within(path, each) for each in (*files, *hashed))
    for written, param in declared.params:
        fault = f"{name} declares `{written or 'params.yaml'}`"
        leaves = configuration.leaves(param)
        yield f"{fault}, which is not in params.yaml", bool(leaves)
        for leaf in leaves:
            is_read = any(within(leaf, key, ".") for key in keys) or (stage, leaf) in NEED_NOT_READ
            yield f"{fault}, but does not read `{leaf}`", is_read
    for library in declared.libraries:
        yield f"{name} declares `{library}`, but does not compute with it", library in libraries(stage)


@pytest.mark.parametrize("stage", EACH)
def test_a_stage_declares_what_it_reads_and_reads_what_it_declares(stage: str, recorded: list[Configuration]) -> None:
    assert faults(stage, STAGES[stage], recorded) == []


def changed(stage: str, kind: str, change: Callable[[list[Any]], None]) -> Any:
    """A copy of a stage's definition with one of its lists changed."""
    definition = copy.deepcopy(STAGES[stage])
    own = definition.get("do", definition)
    change(own["params"][-1]["locks/libs.yaml"] if kind == "libraries" else own[kind])
    return definition


@pytest.mark.parametrize("stage", EACH)
def test_every_entry_that_is_removed_is_missed(stage: str, recorded: list[Configuration]) -> None:
    def without(kind: str, name: str) -> Any:
        return changed(stage, kind, lambda listed: listed.remove(name or {"params.yaml": None}))

    listed = entries(STAGES[stage])
    assert [entry for entry in listed if not faults(stage, without(*entry), recorded)] == []


CANDIDATES = {
    *(entry for definition in STAGES.values() for entry in entries(definition) if entry[1] and "${" not in entry[1]),
    *(("deps", path) for path in ("data", "README.md", "models/finetune/state.safetensors", "src/gogooku3/cli")),
    *(("params", key) for key in ("card.license", "numerics.strict", "evaluation.surprise")),
}
"""Entries of all stages, and others."""


def resolved(entry: str) -> list[str]:
    """A dependency with the paths that `train.stages` can have."""
    schemes = (asdict(stages) for stages in SCHEMES.values())
    return [Template(entry.replace("train.stages.", "")).safe_substitute(paths) for paths in schemes]


SAME_HERE = {"data/folds/plan": "one fold ran", "models/parent": "one file if no base model is fetched"}
"""Folders with no more files than the one that some stages declare."""


@pytest.mark.parametrize("stage", EACH)
def test_every_entry_that_is_added_is_found(stage: str, recorded: list[Configuration]) -> None:
    """But not a folder of code of which a part is imported."""
    separators = {"deps": "/", "params": ".", "libraries": "/"}
    folders = {str(folder.relative_to(ROOT)) for path in imported(stage) for folder in path.parents[: -len(ROOT.parts)]}
    extra = [
        (kind, name)
        for kind, name in sorted(CANDIDATES)
        if not any(each == kind and within(name, own, separators[kind]) for each, own in entries(STAGES[stage]))
        and name not in folders
        and not any(name in resolved(own) for _, own in entries(STAGES[stage]))
        and not (name in SAME_HERE and any(within(own, name) for _, own in entries(STAGES[stage])))
    ]
    assert len(extra) > 30
    unnoticed = []
    for kind in separators:
        names = [name for each, name in extra if each == kind]
        found = faults(stage, changed(stage, kind, lambda listed, names=names: listed.__iadd__(names)), recorded)
        unnoticed += [name for name in names if not any(f" declares `{name}`" in fault for fault in found)]
    assert unnoticed == []


@pytest.mark.parametrize("runs", ["default", pytest.param("configurations", marks=pytest.mark.slow)])
def test_a_stage_reads_no_variable_and_no_file_outside_of_the_repository(
    runs: str, request: pytest.FixtureRequest
) -> None:
    """As far as Python opens it, and as code of gogooku3 reads it."""
    records = [each for configuration in request.getfixturevalue(runs) for each in configuration.records.values()]
    assert {name for each in records for name in each.reads["variable"]} == set()
    outside = {path for each in records for path in each.reads["outside"]}
    assert {path for path in outside if not any(part in path for part in OUTSIDE)} == set()


READS = """
    import mmap, multiprocessing, os, subprocess
    from dataclasses import asdict
    import polars, pyarrow.parquet
    Path('data/raw/open').read_bytes()
    polars.read_parquet('data/raw/polars')
    polars.scan_parquet('data/raw/lazy', glob=False).collect(engine='streaming')
    pyarrow.parquet.read_table('data/raw/arrow')
    with open('data/raw/mmap') as file:
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)[0]
    subprocess.run(['md5sum', 'data/raw/program'], check=True)
    os.listdir('conf')
    params.baselines.rows, asdict(params.baselines.ridge), hash(params.dataset.graph), vars(params.card)
    os.getenv('USER')
    worker = multiprocessing.get_context('spawn').Process(target=in_worker, args=(params.evaluation,))
    worker.start()
    worker.join()
    assert worker.exitcode == 0


def in_worker(evaluation):
    Path('data/raw/worker').read_bytes()
    evaluation.bootstrap.draws
"""


@pytest.mark.slow
def test_the_recorder_sees_reads_in_any_language_and_process(tmp_path: Path) -> None:
    """Of a stage that reads more than it declares; what it writes and reads again is no input."""
    workspace = Workspace(tmp_path / "gogooku3")
    shutil.copytree(ROOT / "src", workspace.folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "conf", workspace.folder / "conf")
    (workspace.folder / "data/raw").mkdir(parents=True)
    for name in ("open", "polars", "lazy", "arrow", "mmap", "program", "worker"):
        pl.DataFrame({"Code": ["13010"]}).write_parquet(workspace.folder / f"data/raw/{name}")
    stage = workspace.folder / "src/gogooku3/stages/parent.py"
    head, start, rest = stage.read_text().partition("    name = params.train.start_from\n")
    body, worker = READS.split("\n\n\n")
    stage.write_text(f"{head}{body}\n{start}{rest}\n\n{worker}")

    configuration = record(workspace, SMALL, "parent")
    keys = ("baselines.rows", "baselines.ridge.penalty", "evaluation.bootstrap.draws")
    keys += tuple(f"dataset.graph.{name}" for name in ("neighbours", "refresh", "window"))
    keys += tuple(f"card.license{name}" for name in ("", "_link", "_name"))
    paths = (
        "conf/",
        *(f"data/raw/{name}" for name in ("arrow", "lazy", "mmap", "open", "polars", "program", "worker")),
    )
    assert faults("parent", STAGES["parent"], [configuration]) == sorted(
        [
            *(f"parent reads `{path}`, which is not in its `deps`" for path in paths),
            *(f"parent reads `{key}`, which is not in its `params`" for key in keys),
        ]
    )
    assert set(configuration.records["parent"].reads["variable"]) == {"USER"}


@pytest.mark.slow
def test_other_configurations_read_nothing_else(copied: Copied, configurations: list[Configuration]) -> None:
    """Training in two processes, from a base model, and quotes from J-Quants."""
    two, tuned, downloaded = copied("two"), copied("tuned"), copied("downloaded")
    processes = {"numerics.processes": "2", "numerics.shares": "2", "numerics.threads": "1"}
    (tuned.folder.parent / "bucket").mkdir()
    tuned.run("dvc", "remote", "modify", "--local", "store", "url", str(tuned.folder.parent / "bucket"))
    tuned.run("gogooku3", "promote", "demo")
    with serving(small()) as exchange:
        period = ("--from", "2024-01-29", "--to", "2024-02-02", "--rate", "1000000")
        variables = {"JQUANTS_API_KEY": KEY, "JQUANTS_API_URL": exchange.address}
        downloaded.run("gogooku3", "jquants", "download", *period, **variables)
    distributed = record(two, SMALL | processes, *(f"train@{phase}" for phase in STAGES["train"]["foreach"]))
    for each in distributed.records.values():  # a worker loads and checks these while the stage is recorded
        for path in [path for path in each.reads["file"] if path == "params.yaml" or path.startswith("src/")]:
            del each.reads["file"][path]
    others = [
        distributed,
        record(tuned, SMALL | {"train.start_from": "demo@v1.0.0"}, "parent", "train@baseline", "train@gat"),
        record(downloaded, FROM_J_QUANTS, "quotes"),
    ]
    for stage in ("train", "parent", "quotes"):
        assert faults(stage, STAGES[stage], [*configurations, *others]) == []


@pytest.mark.slow
def test_other_threads_change_no_byte_of_the_stages_that_do_not_declare_them(copied: Copied) -> None:
    """Although each of them pins `numerics.threads` (`PINNED`)."""
    workspace = copied("threads")
    workspace.compose(SMALL | {"numerics.threads": "3"})
    made = ("data/quotes", "data/dataset", "reports", "models/parent")
    before = {name: workspace.bytes_of(name) for name in made}
    for stage in ("quotes", "dataset", "quality", "parent"):
        declared = [key for kind, key in entries(STAGES[stage]) if kind == "params"]
        assert not any(within("numerics.threads", key, ".") for key in declared)
        shutil.rmtree(workspace.folder / "data/.dataset.partial", ignore_errors=True)
        workspace.run(sys.executable, "src/gogooku3", "stages", stage)
    assert {name: workspace.bytes_of(name) for name in made} == before
