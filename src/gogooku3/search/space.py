"""Search space: hyperparameters with their choices or ranges, read from a YAML file.

All possible proposals are validated against the schema of `params.yaml` before the first trial.
"""

from __future__ import annotations

import copy
import difflib
import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from gogooku3 import config
from gogooku3.config import Params
from gogooku3.config.section import require, section
from gogooku3.config.tier import name_of
from gogooku3.errors import ConfigError, UserError, abbreviate

Scalar = bool | int | float | str
Values = dict[str, Any]
"""One value per searched parameter, by dotted key."""

_HINT = "`docs/search.md` explains the file"
_NEIGHBOURS = 32
"""Number of integers at the start of a range that are checked, in addition to its end.

The schema's conditions on an integer are a bound, which the ends decide, a multiple, which the first two decide, or a
divisor: a common multiple of 32 consecutive numbers is above 10^14. So if these values are valid, all others are.
"""
_COMBINATIONS = 4096
"""Largest number of combinations that are all checked; beyond it, all pairs of parameters are."""


@section
class Parameter:
    """The values of one parameter: `choices`, or the range `low` to `high` (inclusive)."""

    choices: list[Scalar | list[Scalar] | None] | None = None
    low: int | float | None = None
    high: int | float | None = None
    step: int | float | None = None
    log: bool = False
    """Whether to sample uniformly in the logarithm."""

    @property
    def is_integer(self) -> bool:
        """Whether the range is of integers, because both ends are."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def boundary_values(self) -> list[Any]:
        """Values to validate: if all of them are valid, so are the values between them."""
        if self.choices is not None:
            return list(self.choices)
        if isinstance(self.low, int) and isinstance(self.high, int):
            every = range(self.low, self.high + 1, int(self.step or 1))
            return [*every[:_NEIGHBOURS], *every[_NEIGHBOURS:][-1:]]
        return [self.low, self.high]


@section
class Space:
    """Definition of a search."""

    trials: int
    seed: int
    """Seed of the sampler; the same seed gives the same proposals."""
    parameters: dict[str, Parameter]
    """Searched parameters by dotted key."""
    objective: Literal["mean_rank_ic", "sharpe"] | None = None
    """The validation metric to maximise; None for the objective of the tier, `tier.metric`."""
    tiers: list[str] | None = None
    """Tiers that the search is for; None: any tier."""

    def __post_init__(self) -> None:
        require(self.tiers != [], "`tiers` is empty", "list the tiers that the search is for, or remove it")
        require(self.trials >= 1, f"`trials` is {self.trials}", "use 1 or more")
        require(self.seed >= 0, f"`seed` is {self.seed}", "use 0 or more")
        require(bool(self.parameters), "`parameters` is empty: there is nothing to search", _HINT)
        for name, parameter in self.parameters.items():
            _require_range(name, parameter) if parameter.choices is None else _require_choices(name, parameter)

    def with_trials(self, trials: int) -> Space:
        """A copy with another number of trials."""
        return replace(self, trials=trials)


def read(path: Path) -> Space:
    """Reads a search file; raises `ConfigError` if it is missing or invalid."""
    try:
        tree = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    except FileNotFoundError:
        raise ConfigError(
            f"`{path}` does not exist", hint="name a search file, such as `conf/search/demo.yaml`"
        ) from None
    except (YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
        raise ConfigError(f"`{path}` is not YAML: {' '.join(str(error).split())}", hint=_HINT) from None
    if not isinstance(tree, dict):
        raise ConfigError(f"`{path}` contains {type(tree).__name__} and no keys", hint=_HINT)
    try:
        return config.checked(Space, tree, hint=_HINT)
    except ConfigError as error:
        raise ConfigError(f"`{path}`: {error.message}", hint=error.hint) from None


def check(space: Space, tree: dict[str, Any], preflight: Callable[[Params], None]) -> None:
    """Validates a search space against the parameters that it changes.

    Args:
        tree: the content of `params.yaml`.
        preflight: raises `UserError` if the parameters of a trial are impossible.

    Raises:
        ConfigError: the search is for another tier, a name is not a parameter, or a value or a combination of values is
            refused.
    """
    _require_tier(space, name_of(tree))
    known = leaves(tree)
    for name, parameter in space.parameters.items():
        _require_known(name, known)
        require(
            not (parameter.choices is None and parameter.is_integer and isinstance(known[name], float)),
            f"`parameters.{name}` is a range of integers from {parameter.low} to {parameter.high}, but `{name}` is"
            f" {known[name]}",
            "write the ends with a decimal point, such as 0.0 and 1.0",
        )
    for values in _combinations(space):
        try:
            preflight(config.parse(applied(tree, values)))
        except UserError as error:
            listed = ", ".join(f"`{name}` {value}" for name, value in values.items())
            raise ConfigError(
                f"a trial could have {listed}: {error.message}",
                hint=f"{error.hint}; exclude it (`choices`, or `step` in a range), or change the other parameters",
            ) from None


def leaves(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flattens nested parameters: every leaf value, by dotted key."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def applied(tree: dict[str, Any], values: Values) -> dict[str, Any]:
    """A copy of the parameters with some values replaced."""
    changed = copy.deepcopy(tree)
    for name, value in values.items():
        *path, last = name.split(".")
        section = changed
        for part in path:
            section = section[part]
        section[last] = value
    return changed


def _combinations(space: Space) -> Iterable[Values]:
    """All combinations of boundary values; if there are too many, those of each pair of parameters."""
    candidates = {name: parameter.boundary_values for name, parameter in space.parameters.items()}
    if math.prod(map(len, candidates.values())) <= _COMBINATIONS:
        return (dict(zip(candidates, values, strict=True)) for values in itertools.product(*candidates.values()))
    first = {name: values[0] for name, values in candidates.items()}
    return (
        first | dict(zip(pair, values, strict=True))
        for pair in itertools.combinations(candidates, min(2, len(candidates)))
        for values in itertools.product(*(candidates[name] for name in pair))
    )


def _require_tier(space: Space, tier: str | None) -> None:
    """The committed parameters are of a tier that the search is for: the file's name alone does not select one."""
    if space.tiers is None or tier in space.tiers:
        return
    raise ConfigError(
        f"the search is for {' or '.join(space.tiers)} (`tiers`), but the committed `params.yaml` is of {tier}",
        hint=f"switch with `dvc exp run -S tier={space.tiers[0]}` and `git commit`, or use a search file for {tier}",
    )


def _require_known(name: str, known: dict[str, Any]) -> None:
    if name.split(".")[0] == "tier":
        raise ConfigError(
            f"`parameters.{name}` says what the tier is for, and is not a model parameter",
            hint="search within one tier; `dvc exp run -S tier=NAME` starts another",
        )
    if name in known:
        return
    inside = [key for key in known if key.startswith(f"{name}.")]
    if inside:
        raise ConfigError(
            f"`parameters.{name}` is a section of `params.yaml`, not a parameter",
            hint=f"name its parameters: {abbreviate(f'`{key}`' for key in inside)}",
        )
    similar = difflib.get_close_matches(name, known, n=3)
    raise ConfigError(
        f"`parameters.{name}` is not a parameter of `params.yaml`",
        hint=f"did you mean {' or '.join(f'`{key}`' for key in similar)}?"
        if similar
        else "`conf/` lists every parameter with its meaning and allowed values",
    )


def _require_choices(name: str, parameter: Parameter) -> None:
    choices = parameter.choices or []
    others = (parameter.low, parameter.high, parameter.step)
    require(
        others == (None, None, None) and not parameter.log,
        f"`parameters.{name}` has both `choices` and a range",
        "give one of them",
    )
    require(bool(choices), f"`parameters.{name}.choices` is empty", "give at least one")
    duplicates = [choice for number, choice in enumerate(choices) if choice in choices[:number]]
    require(not duplicates, f"`parameters.{name}.choices` has {abbreviate(duplicates)} twice", "list each choice once")


def _require_range(name: str, parameter: Parameter) -> None:
    low, high, step = parameter.low, parameter.high, parameter.step
    if low is None or high is None:
        raise ConfigError(
            f"`parameters.{name}` has neither `choices` nor a range",
            hint="give `choices: [...]`, or `low` and `high`",
        )
    require(low < high, f"`parameters.{name}` goes from {low} to {high}", "`low` must be below `high`")
    require(
        not parameter.log or low > 0,
        f"`parameters.{name}` has `log` and starts at {low}",
        "start above 0, or remove `log`",
    )
    if step is None:
        return
    require(not parameter.log, f"`parameters.{name}` has both `log` and `step`", "give one of them")
    require(
        step > 0 and (not parameter.is_integer or isinstance(step, int)),
        f"`parameters.{name}.step` is {step}",
        "use a number above 0, and an integer if the ends are integers",
    )
    steps = (high - low) / step
    require(
        abs(steps - round(steps)) < 1e-9,
        f"`parameters.{name}` goes from {low} to {high} in steps of {step}, which do not reach `high`",
        "set `high` to `low` plus a multiple of `step`",
    )
