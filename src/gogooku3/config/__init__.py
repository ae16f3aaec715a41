"""The typed parameters of an experiment, and the only reader of `params.yaml`: one module per section.

`conf/` explains every parameter, its unit and its allowed values; DVC composes it into `params.yaml`; this
package refuses what it does not know. Nothing here has a default: a number that is not in `params.yaml` does
not exist.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from omegaconf import OmegaConf
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from yaml import YAMLError

from gogooku3 import paths
from gogooku3.config import renames
from gogooku3.config.baselines import Baselines
from gogooku3.config.dataset import Dataset
from gogooku3.config.evaluation import Evaluation
from gogooku3.config.model import Model
from gogooku3.config.numerics import Numerics
from gogooku3.config.quotes import Quotes
from gogooku3.config.section import require, section
from gogooku3.config.train import SCRATCH, Train
from gogooku3.errors import ConfigError

T = TypeVar("T")


@section
class Params:
    """One experiment: the whole of `params.yaml`."""

    tier: str
    numerics: Numerics
    quotes: Quotes
    dataset: Dataset
    model: Model
    train: Train
    baselines: Baselines
    evaluation: Evaluation

    def __post_init__(self) -> None:
        horizons, weights = self.dataset.horizons, self.train.recipe.loss.horizons
        require(
            len(weights) == len(horizons),
            f"`train.recipe.loss.horizons` has {len(weights)} weights for the {len(horizons)} horizons"
            f" of `dataset.horizons` {horizons}",
            "give one weight per horizon",
        )
        require(
            1 in horizons,
            f"`dataset.horizons` is {horizons} and lacks 1: the portfolio that is evaluated earns one session's return",
            "add 1 to `dataset.horizons`, with a weight in `train.recipe.loss.horizons` that may be 0",
        )
        traded = self.evaluation.portfolio.horizon
        require(
            traded in horizons,
            f"`evaluation.portfolio.horizon` is {traded}, which is not among `dataset.horizons` {horizons}",
            "trade a horizon that the model scores",
        )
        require(
            self.evaluation.scheme == "split" or self.train.start_from == SCRATCH,
            f"`train.start_from` is {self.train.start_from}: that model may have learnt from sessions that the folds of"
            f" `evaluation.scheme` {self.evaluation.scheme} test",
            f"walk forward from `{SCRATCH}`, or evaluate on the split alone (`-S evaluation.scheme=split`)",
        )


def load(path: Path = paths.PARAMS) -> Params:
    """Reads and checks a parameter file.

    Raises:
        ConfigError: the file is absent or unreadable, names an unknown key, lacks one, gives a value of the
            wrong type, or combines values that cannot go together.
    """
    return parse(_tree(path))


def load_released(path: Path) -> Params:
    """Reads a parameter file that may be of an earlier version's release; raises `ConfigError` as `load` does."""
    return parse(renames.current(_tree(path)))


def _tree(path: Path) -> object:
    try:
        tree = OmegaConf.load(path)
    except FileNotFoundError:
        raise ConfigError(
            f"`{path}` is not there", hint="run from the repository's root, or compose it with `dvc exp run`"
        ) from None
    except YAMLError as error:
        raise ConfigError(f"`{path}` is not YAML: {error}", hint=f"restore it with `git checkout {path}`") from None
    return OmegaConf.to_container(tree)


def parse(tree: object) -> Params:
    """Turns a tree of plain values into checked parameters; raises `ConfigError` as `load` does."""
    return checked(Params, tree, hint="`conf/` lists every parameter with its meaning and allowed values")


def checked(kind: type[T], tree: object, *, hint: str) -> T:
    """Turns a tree of plain values into a section; raises `ConfigError` with every fault by its dotted key."""
    try:
        # JSON's types are the ones that YAML and JSON share: a strict check of them takes "2024-01-31" as a date
        # and nothing else as what it is not.
        return TypeAdapter(kind).validate_json(json.dumps(tree))
    except ValidationError as error:
        faults = [f"`{_key(fault['loc'])}`: {fault['msg']}" + _given(fault) for fault in error.errors()]
        raise ConfigError("\n".join(faults), hint=hint) from None


def _key(location: tuple[int | str, ...]) -> str:
    """The dotted key of a fault; the union member that pydantic names after `quotes` is not part of it."""
    parts = [str(part) for part in location]
    if len(parts) > 1 and parts[0] == "quotes":
        del parts[1]
    return ".".join(parts) or str(paths.PARAMS)


def _given(fault: ErrorDetails) -> str:
    return "" if isinstance(fault["input"], dict) else f", given {fault['input']!r}"
