"""Model card: recipe, data, results, limits, provenance and usage, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gogooku3.model.ensemble import Model
from gogooku3.package.lineage import Parent
from gogooku3.package.metadata import DatasetIdentity, front_matter
from gogooku3.package.results import is_synthetic, objective_text, results_section
from gogooku3.package.walk_forward import walk_forward_section
from gogooku3.panel.panel import Panel
from gogooku3.runtime.files import replaced_file

_SYNTHETIC = """
**The market is synthetic: the results are about generated quotes, not about real stocks.**
"""

_TEMPLATE = """\
{metadata}

# {tier}
{market}
Ranks the stocks of a session by expected return over {horizons} sessions. Higher scores mean higher expected
returns; only the order within a session has a meaning.

## Intended use

For research on cross-sectional strategies: to rank the stocks of one session against each other, from a dataset with
the feature ABI below. Not for returns in per cent, for the direction of the market, for stocks or features that it was
not trained on, and not for trading without a risk model and checks of your own.

## Recipe

ATFT-GAT-FAN with {parameters:,} parameters: variable selection over {features} features, a temporal fusion block
over {window} sessions with frequency- and slice-adaptive normalisation, and attention over {neighbours} graph
neighbours. Trained in four phases.

| phase | epochs | learning rate | weights passed on |
|---|---|---|---|
{phases}

Loss: Sharpe {sharpe:g}, RankIC {rank_ic:g}, IC {ic:g}; batches of {batch_size} samples from {batch_stocks} stocks;
AdamW with weight decay {weight_decay:g}; {seeds}.

Reproducible on `{exact_on}`: there, retraining from the same inputs with {threads} threads, instruction set
`{instruction_set}`, {precision} and {versions} gives bitwise the same model and golden predictions. `environment.json`
has the rest of that environment, and `gogooku3 verify` checks whether a machine matches it.

## Data

Source `{source}`, {stocks} stocks, sessions {first} to {last}. Every feature is known at the
session's close (no look-ahead). Feature ABI `{abi}`.
The SHA-256 of the dataset's `contents.json`, which has the checksum of each of its files, is
`{dataset_sha256}`.

| split | first session | last session |
|---|---|---|
{splits}

## Objective

{objective}

## Results

{results}
## Limits

This is a backtest on one history. The intervals cover chance, but neither changes in the market nor the number of
models tried before this one. Trades are filled at the close without market impact, which is less realistic the closer
capital is to the capacity; stocks are assumed to be available for borrowing. Whatever the quotes lack, such as delisted
stocks or suspensions, the results lack too. The scores are not advice.

## Licence

{licence}

## Lineage

{origin} `lineage.json` has the same in machine-readable form, and `MANIFEST.json` has the SHA-256 of every file,
including the model and this card.

## Verify

```
gogooku3 verify PACKAGE                     # checks every file, tensor, hash and golden score
gogooku3 verify PACKAGE --dataset DATASET   # and whether a dataset matches the model
```

Nothing in the package is unpickled or executed: it consists of JSON, safetensors and this text.

## Predict

```
gogooku3 predict PACKAGE --dataset data/dataset --output predictions.parquet
```

`predict` refuses a package that does not match `MANIFEST.json` and a dataset with another feature ABI, and reports
whether the golden predictions are bitwise reproduced.
"""


def write_card(
    params: dict[str, Any],
    environment: dict[str, Any],
    parent: Parent | None,
    model: Model,
    panel: Panel,
    contents_sha256: str,
    results: dict[str, Any],
    kept: Mapping[str, str],
    target: Path,
) -> None:
    """Writes the card as Markdown with YAML front matter for model hubs.

    Args:
        kept: by phase, the epoch whose weights it passes on, in words, from the first seed.
        contents_sha256: SHA-256 of the dataset's `contents.json`.
    """
    recipe = params["train"]["recipe"]
    backbone = model.architecture.backbone
    text = _TEMPLATE.format(
        metadata=front_matter(
            params, DatasetIdentity(len(panel.codes), panel.abi, contents_sha256), parent, results["test"]
        ),
        tier=params["tier"]["name"],
        market=_SYNTHETIC if is_synthetic(params) else "",
        horizons=_listed(panel.horizons),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        features=len(panel.features),
        window=backbone.window,
        neighbours=panel.neighbours_GSK.shape[-1],
        origin="Trained from scratch." if parent is None else _started_from(parent),
        phases="\n".join(
            f"| {name} | {phase['epochs']} | {phase['learning_rate']:g} | {kept[name]} |"
            for name, phase in params["train"]["phases"].items()
        ),
        **{name: recipe["loss"][name] for name in ("sharpe", "rank_ic", "ic")},
        **{name: recipe[name] for name in ("batch_size", "batch_stocks", "weight_decay")},
        seeds=_seeds(recipe["seed"], params["train"]["stages"]["members"]),
        **{name: environment["numerics"][name] for name in ("threads", "instruction_set")},
        **{name: environment[name] for name in ("exact_on", "precision")},
        versions=", ".join(f"{name} {version}" for name, version in environment["versions"].items()),
        source=params["quotes"]["source"],
        stocks=len(panel.codes),
        abi=panel.abi,
        dataset_sha256=contents_sha256,
        licence=_licence(**params["card"]),
        first=panel.sessions[0],
        last=panel.sessions[-1],
        splits="\n".join(
            f"| {name} | {panel.sessions[first]} | {panel.sessions[last]} |"
            for name, (first, last) in panel.split.items()
        ),
        objective=objective_text(params["tier"], results["validation"]),
        results=results_section(params["evaluation"]["portfolio"], results) + walk_forward_section(results),
    )
    with replaced_file(target) as partial:
        partial.write_text(text, encoding="utf-8")


def _seeds(first: int, further: list[int]) -> str:
    if not further:
        return f"seed {first}"
    return f"an ensemble of {len(further) + 1} members with the seeds {_listed((first, *further))}"


def _started_from(parent: Parent) -> str:
    return f"""Started from `{parent.tag}`, commit {parent.commit}, whose model has the SHA-256
`{parent.model_sha256}`. A phase with 0 epochs passes its weights on unchanged."""


def _licence(license: str | None, license_name: str | None, license_link: str | None) -> str:
    """The licence in words; the names of the arguments are those of `params.yaml`."""
    if license is None:
        return "None is stated: no licence to use, copy or distribute this model was granted with this card."
    if license_name is None:
        return f"`{license}`, as in https://huggingface.co/docs/hub/repositories-licenses."
    return f"`{license_name}`" + (f": <{license_link}>." if license_link else "; no link to its text is stated.")


def _listed(numbers: tuple[int, ...]) -> str:
    *rest, last = map(str, numbers)
    return f"{', '.join(rest)} and {last}" if rest else last
