"""Builds a model package, in the layout of model hubs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import polars as pl

from gogooku3.config import Params
from gogooku3.dataset.contents import CONTENTS
from gogooku3.metrics.split_file import table_of
from gogooku3.model.ensemble import Model
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.probe import current_domain
from gogooku3.model.weights import CONFIG, WEIGHTS
from gogooku3.package.card import write_card
from gogooku3.package.environment import ENVIRONMENT
from gogooku3.package.golden import write_golden
from gogooku3.package.lineage import Parent, write_lineage
from gogooku3.package.manifest import write_manifest
from gogooku3.runtime.files import sha256_file, write_json

METRICS = ("validation", "test", "baselines", "details/validation", "details/test")
"""Files of `metrics/` that a package has in its `metrics.json`, under these names."""


def build(
    model: Model,
    inputs: PanelOnDevice,
    trained: Path,
    dataset: Path,
    metrics: Path,
    kept: Mapping[str, str],
    params: Params,
    parent: Parent | None,
    folder: Path,
) -> None:
    """Writes a complete package into an empty folder.

    Args:
        model: the model in `trained`, on the device named in the numerics.
        inputs: the panel from which the golden inputs are cut.
        trained: folder of the delivered model: `config.json`, `model.safetensors`.
        dataset: folder of the dataset: `schema.json`, `preprocess.json`, `contents.json`.
        metrics: folder of the evaluation's metrics.
        kept: by phase, the epoch whose weights it passes on, in words (`kept_epoch`), from the first seed.
        parent: the release that training started from; None if trained from scratch.
    """
    for source in (trained / CONFIG, trained / WEIGHTS, dataset / "schema.json", dataset / "preprocess.json"):
        shutil.copyfile(source, folder / source.name)
    optional = () if params.evaluation.scheme == "split" else ("walk_forward",)
    results = {name: json.loads((metrics / f"{name}.json").read_text(encoding="utf-8")) for name in METRICS + optional}
    write_json(results, folder / "metrics.json")
    domain = current_domain(params.numerics)
    write_json(domain, folder / ENVIRONMENT)
    write_lineage(parent, folder)
    write_golden(model, inputs, folder)
    contents = sha256_file(dataset / CONTENTS)
    tables = {name: table_of(content) for name, content in results.items()}
    write_card(asdict(params), domain, parent, model, inputs.panel, contents, tables, kept, folder / "README.md")
    write_manifest(folder)


def kept_epoch(curve: Path) -> str:
    """The epoch whose weights a phase passes on, from its learning curve, in words."""
    rows = (
        pl.read_csv(curve, schema_overrides={"epoch": pl.Int64, "kept": pl.Int64})
        .filter(pl.col("kept") == 1)["epoch"]
        .to_list()
    )
    if not rows:
        return "those that it received"
    return "those that it received: it adds nothing" if rows[0] < 0 else f"epoch {rows[0] + 1}"
