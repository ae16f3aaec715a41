"""The typed configuration of an experiment: the schema and the only reader of `params.yaml`, one module per section.

`conf/` explains every parameter, its unit and its allowed values; DVC composes it into `params.yaml`. Unknown keys
are errors. No field has a default: every value must be in `params.yaml`.
"""

from __future__ import annotations

import difflib
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
from gogooku3.config.card import Card
from gogooku3.config.dataset import Dataset
from gogooku3.config.evaluation import Evaluation
from gogooku3.config.model import Model
from gogooku3.config.numerics import Numerics
from gogooku3.config.quotes import Quotes
from gogooku3.config.section import require, section
from gogooku3.config.tier import PARENT, Tier
from gogooku3.config.train import SCRATCH, Train
from gogooku3.errors import ConfigError
from gogooku3.objective import horizon_of

T = TypeVar("T")


@section
class Params:
    """One experiment: the whole of `params.yaml`."""

    tier: Tier
    card: Card
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
            "add 1 to `dataset.horizons`, and a weight for it in `train.recipe.loss.horizons`, which may be 0",
        )
        traded = self.evaluation.portfolio.horizon
        require(
            traded in horizons,
            f"`evaluation.portfolio.horizon` is {traded}, which is not among `dataset.horizons` {horizons}",
            "trade a horizon that the model scores",
        )
        horizon = horizon_of(self.tier.metric)
        require(
            horizon is None or horizon in horizons,
            f"`tier.metric` is {self.tier.metric}, and {horizon} is not among `dataset.horizons` {horizons}",
            "use a horizon that the model scores",
        )
        require(
            self.tier.compared_with != PARENT or self.train.start_from != SCRATCH,
            f"`tier.compared_with` is {PARENT}, but `train.start_from` is {SCRATCH}: the model has no parent",
            "start from a release (`train.start_from`), or compare with `best` or a release's tag",
        )
        require(
            self.evaluation.scheme == "split" or self.train.start_from == SCRATCH,
            f"`train.start_from` is {self.train.start_from}: that model may have been trained on test sessions of the"
            f" folds of `evaluation.scheme` {self.evaluation.scheme} (look-ahead)",
            f"walk forward from `{SCRATCH}`, or evaluate on the split alone (`-S evaluation.scheme=split`)",
        )


def load(path: Path = paths.PARAMS) -> Params:
    """Reads and checks a parameter file.

    Raises:
        ConfigError: the file is missing or unreadable, or has an unknown key, a missing key, a value of the wrong
            type, or values that conflict.
    """
    return parse(_tree(path))


def load_released(path: Path) -> Params:
    """Reads the parameter file of a release, which an earlier version may have written; raises like `load`."""
    return parse(renames.current(_tree(path)))


def _tree(path: Path) -> object:
    try:
        tree = OmegaConf.load(path)
    except FileNotFoundError:
        raise ConfigError(
            f"`{path}` does not exist", hint="run from the repository's root, or compose it with `dvc exp run`"
        ) from None
    except YAMLError as error:
        raise ConfigError(f"`{path}` is not YAML: {error}", hint=f"restore it with `git checkout {path}`") from None
    return OmegaConf.to_container(tree)


def parse(tree: object) -> Params:
    """Validates a tree of plain values as parameters; raises `ConfigError` like `load`."""
    return checked(Params, tree, hint="`conf/` lists every parameter with its meaning and allowed values")


def checked(kind: type[T], tree: object, *, hint: str) -> T:
    """Validates a tree of plain values as a section; raises `ConfigError` with every error and its dotted key."""
    try:
        # Strict validation of JSON parses "2024-01-31" as a date and coerces nothing else.
        return TypeAdapter(kind).validate_json(json.dumps(tree))
    except ValidationError as error:
        details = error.errors()
        lines = [
            f"`{_key(detail['loc'])}`: {detail['msg']}" + _given(detail) + _suggestion(detail, details)
            for detail in details
        ]
        raise ConfigError("\n".join(lines), hint=hint) from None


def _key(location: tuple[int | str, ...]) -> str:
    """The dotted key of a validation error, without the union member that pydantic inserts after `quotes`."""
    parts = [str(part) for part in location]
    if len(parts) > 1 and parts[0] == "quotes":
        del parts[1]
    return ".".join(parts) or str(paths.PARAMS)


def _suggestion(detail: ErrorDetails, details: list[ErrorDetails]) -> str:
    """For an unknown key, the missing key of its section that it is a typing error of."""
    if detail["type"] != "unexpected_keyword_argument":
        return ""
    *section, name = detail["loc"]
    others = (other["loc"] for other in details if other["type"] == "missing")
    missing = [str(loc[-1]) for loc in others if [*loc[:-1]] == section]
    similar = difflib.get_close_matches(str(name), missing, n=1)
    return f"; did you mean `{similar[0]}`?" if similar else ""


def _given(detail: ErrorDetails) -> str:
    return "" if isinstance(detail["input"], dict) else f", given {detail['input']!r}"
