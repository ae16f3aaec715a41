"""The model card: what the model is, what it was made from, what it is worth, how to use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gogooku3.model.network import Network
from gogooku3.package.lineage import Parent
from gogooku3.package.metadata import front_matter
from gogooku3.package.results import results_section
from gogooku3.package.walk_forward import walk_forward_section
from gogooku3.panel.panel import Panel
from gogooku3.runtime.files import replaced_file

_TEMPLATE = """\
{metadata}

# {tier}

Ranks the stocks of a session by expected return over {horizons} sessions. Higher scores mean higher expected
returns; only the order within a session has a meaning.

## Intended use

For research on cross-sectional strategies: to rank the stocks of one session against each other, from a dataset whose
feature ABI is that below. Not for returns in per cent, for the direction of the market, for stocks or features that it
was not trained on, nor, without a risk model and a check of one's own, for trading.

## Recipe

ATFT-GAT-FAN with {parameters:,} parameters: variable selection over {features} features, a temporal fusion block
over {window} sessions with frequency- and slice-adaptive normalisation, and attention over {neighbours} graph
neighbours. Trained in four phases.

| phase | epochs | learning rate |
|---|---|---|
{phases}

Loss: Sharpe {sharpe:g}, RankIC {rank_ic:g}, IC {ic:g}; batches of {batch_size} samples from {batch_stocks} stocks;
AdamW with weight decay {weight_decay:g}; seed {seed}.

Exact on `{exact_on}`: there, training again from the same inputs with {threads} threads, instruction set
`{instruction_set}`, {precision} and {versions} gives every byte of it again, and the golden predictions come out to the
bit. `environment.json` has the rest of that domain, and `gogooku3 verify` says whether a machine is in it.

## Data

Source `{source}`, {stocks} stocks, sessions {first} to {last}. Every feature is known at the
session's close. Feature ABI `{abi}`.

| split | first session | last session |
|---|---|---|
{splits}

## Results

{results}
## Limits

A backtest on one history. The intervals say how far chance alone could have moved the numbers; they do not cover
what changes in the market, nor how often models were tried before this one. Trades are made at the close without moving
it, which is less true the nearer capital comes to the capacity; stock is taken to be there to be borrowed. What the
quotes leave out, such as delisted stocks or suspensions, the results leave out too. The scores are not advice.

## Lineage

{origin} `lineage.json` says it for programs, and `MANIFEST.json` has the SHA-256 of every file, the model's
and this card's too.

## Verify

```
gogooku3 verify PACKAGE                     # every file, tensor, hash and golden score, with one verdict
gogooku3 verify PACKAGE --dataset DATASET   # and whether a dataset belongs to it
```

Nothing in the package is unpickled or run: it is JSON, safetensors and this text.

## Predict

```
gogooku3 predict PACKAGE --dataset data/dataset --output predictions.parquet
```

`predict` refuses a package that is not what `MANIFEST.json` promises and a dataset whose feature ABI is another, and
says whether the golden predictions come out to the bit.
"""


def write_card(
    params: dict[str, Any],
    environment: dict[str, Any],
    parent: Parent | None,
    network: Network,
    panel: Panel,
    results: dict[str, Any],
    target: Path,
) -> None:
    """Writes the card as Markdown with the metadata that model hubs read."""
    recipe = params["train"]["recipe"]
    backbone = network.architecture.backbone
    text = _TEMPLATE.format(
        metadata=front_matter(params, len(panel.codes), results["test"]),
        tier=params["tier"],
        horizons=_listed(panel.horizons),
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        features=len(panel.features),
        window=backbone.window,
        neighbours=panel.neighbours_GSK.shape[-1],
        origin="Started from scratch." if parent is None else _started_from(parent),
        phases="\n".join(
            f"| {name} | {phase['epochs']} | {phase['learning_rate']:g} |"
            for name, phase in params["train"]["phases"].items()
        ),
        **{name: recipe["loss"][name] for name in ("sharpe", "rank_ic", "ic")},
        **{name: recipe[name] for name in ("batch_size", "batch_stocks", "weight_decay", "seed")},
        **{name: environment["numerics"][name] for name in ("threads", "instruction_set")},
        **{name: environment[name] for name in ("exact_on", "precision")},
        versions=", ".join(f"{name} {version}" for name, version in environment["versions"].items()),
        source=params["quotes"]["source"],
        stocks=len(panel.codes),
        abi=panel.abi,
        first=panel.sessions[0],
        last=panel.sessions[-1],
        splits="\n".join(
            f"| {name} | {panel.sessions[first]} | {panel.sessions[last]} |"
            for name, (first, last) in panel.split.items()
        ),
        results=results_section(params["evaluation"]["portfolio"], results) + walk_forward_section(results),
    )
    with replaced_file(target) as partial:
        partial.write_text(text, encoding="utf-8")


def _started_from(parent: Parent) -> str:
    return f"""Started from `{parent.tag}`, commit {parent.commit}, whose model has the SHA-256
`{parent.model_sha256}`. A phase of 0 epochs handed its weights on as they were."""


def _listed(horizons: tuple[int, ...]) -> str:
    *rest, last = (str(h) for h in horizons)
    return f"{', '.join(rest)} and {last}" if rest else last
