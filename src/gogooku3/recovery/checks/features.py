"""Checks a model's input features: the package's own schema, and the schema of a dataset."""

from __future__ import annotations

import math

import polars as pl

from gogooku3.dataset.schema import JOINED, Column, Schema, check_columns, read_json
from gogooku3.errors import DataError, MismatchError, abbreviate
from gogooku3.features.registry import select
from gogooku3.features.subsets import SUBSETS
from gogooku3.model.weights import CONFIG
from gogooku3.recovery.checks.package_files import FETCH, PackageFiles
from gogooku3.recovery.checks.verdict import Finding
from gogooku3.recovery.releases.package_commit import commit_of_package, dataset_hint

_SHOWN = 5
"""Columns of a kind that a message lists; `details` lists all."""


def schema(files: PackageFiles) -> Finding:
    """The ABI (hash of the ordered features) matches the one in `schema.json`."""
    return Finding("passed", f"{len(files.schema.features)} features, ABI {files.schema.abi}")


def features(files: PackageFiles) -> Finding:
    """`config.json` was made for the features and horizons of `schema.json`."""
    own, architecture = files.schema, files.architecture
    faults = [
        f"`{CONFIG}` gives {name} {asked}, `schema.json` {given}"
        for name, asked, given in (
            ("ABI", architecture.abi, own.abi),
            ("features", architecture.features, len(own.features)),
            ("horizons", architecture.horizons, list(own.horizons)),
        )
        if asked != given
    ]
    if faults:
        raise MismatchError("; ".join(faults), hint=FETCH)
    return Finding("passed", f"`{CONFIG}` and `schema.json` agree on ABI, features and horizons")


def preprocess(files: PackageFiles) -> Finding:
    """`preprocess.json` is for the same features, and has the mean and std to standardise `session` features."""
    content = read_json(files.package / "preprocess.json")
    if content["abi"] != files.schema.abi:
        raise MismatchError(f"`preprocess.json` has ABI {content['abi']}, `schema.json` {files.schema.abi}", hint=FETCH)
    wanted = {column.name for column in files.schema.features if column.scope == "session"}
    fitted = content["session"]
    faults = [f"{name} is not fitted" for name in sorted(wanted - fitted.keys())]
    faults += [f"{name} is not a `session` feature" for name in sorted(fitted.keys() - wanted)]
    faults += [
        f"{name} has mean {fit['mean']} and std {fit['std']}"
        for name, fit in fitted.items()
        if not (math.isfinite(fit["mean"]) and math.isfinite(fit["std"]) and fit["std"] > 0)
    ]
    if not content["clip"] > 0:
        faults.append(f"clip is {content['clip']}")
    if faults:
        raise MismatchError("; ".join(faults), hint=FETCH)
    return Finding("passed", f"{len(fitted)} features standardised by the training sessions, clip {content['clip']}")


def dataset(files: PackageFiles) -> Finding:
    """The dataset's schema and feature files have the package's columns, in the same order and with the same types."""
    if files.dataset is None:
        return Finding("skipped", "no dataset given", "name one with `--dataset` to check the package against it")
    own, other = files.schema, Schema.read(files.dataset / "schema.json")
    differences = compare(own, other)
    if differences:
        return Finding("failed", _summary(differences, own, other), _remedy(files, _parameter(own, other)), differences)
    if own.horizons != other.horizons:
        raise MismatchError(
            f"the model scores horizons {list(own.horizons)}, the dataset has {list(other.horizons)}",
            hint=_remedy(files, f"set `dataset.horizons` to {list(own.horizons)}, then `dvc repro dataset`"),
        )
    clips = [read_json(folder / "preprocess.json")["clip"] for folder in (files.package, files.dataset)]
    if clips[0] != clips[1]:
        raise MismatchError(
            f"the model's features are clipped at {clips[0]}, the dataset's at {clips[1]}",
            hint=_remedy(files, f"set `dataset.clip` to {clips[0]}, then `dvc repro dataset`"),
        )
    months = sorted((files.dataset / "features").glob("*.parquet"))
    for month in months:
        check_columns(pl.read_parquet_schema(month), own.feature_columns, month)
    if not months:
        raise DataError(f"`{files.dataset}` has no features", hint="`dvc pull data/dataset`, or `dvc repro dataset`")
    return Finding("passed", f"the same {len(own.features)} columns in the schema and in {len(months)} months")


def compare(own: Schema, other: Schema) -> tuple[dict[str, str | None], ...]:
    """Columns that differ between a package and a dataset, as `change`, `column`, `package`, `dataset`.

    Order is compared over the columns of both sides, so a missing column does not make all others `reordered`.
    """
    mine = {column.name: column for column in own.features}
    theirs = {column.name: column for column in other.features}
    changes: list[tuple[str, str, str | None, str | None]] = [
        ("missing", name, _kind(column), None) for name, column in mine.items() if name not in theirs
    ]
    changes += [("added", name, None, _kind(column)) for name, column in theirs.items() if name not in mine]
    changes += [
        ("retyped", name, _kind(column), _kind(theirs[name]))
        for name, column in mine.items()
        if name in theirs and _kind(column) != _kind(theirs[name])
    ]
    shared = [name for name in mine if name in theirs], [name for name in theirs if name in mine]
    changes += [("reordered", ours, ours, other) for ours, other in zip(*shared, strict=True) if ours != other]
    names = ("change", "column", "package", "dataset")
    return tuple(dict(zip(names, change, strict=True)) for change in changes)


def _kind(column: Column) -> str:
    """The part of a column that the ABI covers in addition to its name."""
    dtype, scope, *meaning = column.kind
    return ": ".join((f"{dtype}, by {scope}", *meaning))


def _summary(differences: tuple[dict[str, str | None], ...], own: Schema, other: Schema) -> str:
    """The number of differences of each kind, then the columns, grouped by family if there are many."""
    kinds: dict[str, list[dict[str, str | None]]] = {}
    for change in differences:
        kinds.setdefault(str(change["change"]), []).append(change)
    counts = ", ".join(f"{len(changes)} {kind}" for kind, changes in kinds.items())
    formats = {
        "missing": lambda changes: _by_family(changes, own),
        "added": lambda changes: _by_family(changes, other),
        "retyped": lambda changes: abbreviate(
            [f"{each['column']} ({each['dataset']} for {each['package']})" for each in changes]
        ),
        "reordered": lambda changes: abbreviate([f"{each['dataset']} instead of {each['column']}" for each in changes]),
    }
    parts = [f"{kind}: {formats[kind](changes)}" for kind, changes in kinds.items()]
    return f"{counts} compared with the package's {len(own.features)} columns; {'; '.join(parts)}"


def _by_family(changes: list[dict[str, str | None]], schema: Schema) -> str:
    """Columns by name if there are few, otherwise by family."""
    names = [str(each["column"]) for each in changes]
    if len(names) <= _SHOWN:
        return ", ".join(names)
    families: dict[str, list[str]] = {}
    for column in schema.features:
        families.setdefault(column.family, []).append(column.name)
    parts = []
    for family, columns in families.items():
        affected = [name for name in columns if name in names]
        if affected:
            complete = len(affected) == len(columns)
            listed = "" if complete else f" ({abbreviate(affected)})"
            parts.append(f"{'all ' if complete else ''}{len(affected)} of {family}{listed}")
    return ", ".join(parts)


def _parameter(own: Schema, other: Schema) -> str:
    """A hint with the parameters that give the package's columns, if parameters do."""
    mine, theirs = _set_of(own), _set_of(other)
    settings = []
    if mine != theirs:
        current = f" (here {theirs})" if theirs else ""
        settings.append(f"set `dataset.features` to {mine}{current}")
    if _joined(own) != _joined(other):
        tables = [f"`{column.name}` ({column.definition})" for column in _joined(own)]
        settings.append(f"set `dataset.joined.tables` to give {abbreviate(tables) or 'none'}")
    if mine is None or not settings:
        return "check out the package's commit, then `dvc pull data/dataset`"
    return f"{', '.join(settings)}, then `dvc repro dataset`"


def _set_of(schema: Schema) -> str | None:
    """The name of a schema's feature set, as this version declares the sets."""
    columns = tuple(column.name for column in schema.features if column.family != JOINED)
    sets = ((name, tuple(feature.name for feature in select(name))) for name in SUBSETS)
    return next((name for name, features in sets if features == columns), None)


def _joined(schema: Schema) -> tuple[Column, ...]:
    """The columns from joined tables, in addition to the bars."""
    return tuple(column for column in schema.features if column.family == JOINED)


def _remedy(files: PackageFiles, otherwise: str) -> str:
    """A hint with the commit that has the right dataset, if the package's commit is known."""
    if files.dataset is None or (made := commit_of_package(files.package, files.dataset)) is None:
        return otherwise
    return dataset_hint(made, files.dataset)
