"""What a search tries: parameters and the values that they may take, read from a YAML file.

Whatever could be proposed is checked against the schema of `params.yaml` before the first trial.
"""

from __future__ import annotations

import copy
import difflib
import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from gogooku3 import config
from gogooku3.config.section import require, section
from gogooku3.errors import ConfigError, abbreviate

Scalar = bool | int | float | str
Values = dict[str, Any]
"""One value for each parameter that is searched, by its dotted key."""

_HINT = "`docs/search.md` explains the file"
_NEIGHBOURS = 32
"""Whole numbers at the beginning of a range that are checked beside its end.

What the schema asks of a whole number is a bound, which the ends decide, a multiple, which the first two decide, or a
divisor: what 32 neighbours all divide is above 10^14. So what these meet, all the others meet.
"""
_COMBINATIONS = 4096
"""Combinations that are all checked; of more, those of every two parameters are."""


@section
class Parameter:
    """The values of one parameter: `choices`, or what lies from `low` to `high`, both included."""

    choices: list[Scalar | list[Scalar] | None] | None = None
    low: int | float | None = None
    high: int | float | None = None
    step: int | float | None = None
    log: bool = False
    """Whether what is proposed is spread evenly over the logarithm."""

    @property
    def whole(self) -> bool:
        """Whether the range is one of whole numbers, as its ends are."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def checked(self) -> list[Any]:
        """Values of which each must be possible: where they are, so is whatever lies between them."""
        if self.choices is not None:
            return list(self.choices)
        if isinstance(self.low, int) and isinstance(self.high, int):
            every = range(self.low, self.high + 1, int(self.step or 1))
            return [*every[:_NEIGHBOURS], *every[_NEIGHBOURS:][-1:]]
        return [self.low, self.high]


@section
class Space:
    """A search."""

    objective: Literal["mean_rank_ic", "sharpe"]
    """The metric on validation that is to be large."""
    trials: int
    seed: int
    """Of what is proposed; the same seed proposes the same."""
    parameters: dict[str, Parameter]
    """By dotted key."""

    def __post_init__(self) -> None:
        require(self.trials >= 1, f"`trials` is {self.trials}", "use 1 or more")
        require(self.seed >= 0, f"`seed` is {self.seed}", "use 0 or more")
        require(bool(self.parameters), "`parameters` is empty: there is nothing to search", _HINT)
        for name, parameter in self.parameters.items():
            _require_range(name, parameter) if parameter.choices is None else _require_choices(name, parameter)

    def with_trials(self, trials: int) -> Space:
        """The same with another number of trials."""
        return replace(self, trials=trials)


def read(path: Path) -> Space:
    """Reads the file of a search; raises `ConfigError` where it is none."""
    try:
        tree = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    except FileNotFoundError:
        raise ConfigError(
            f"`{path}` is not there", hint="name the file of a search, such as `conf/search/demo.yaml`"
        ) from None
    except (YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
        raise ConfigError(f"`{path}` is not YAML: {' '.join(str(error).split())}", hint=_HINT) from None
    if not isinstance(tree, dict):
        raise ConfigError(f"`{path}` holds {type(tree).__name__} and no keys", hint=_HINT)
    try:
        return config.checked(Space, tree, hint=_HINT)
    except ConfigError as error:
        raise ConfigError(f"`{path}`: {error.message}", hint=error.hint) from None


def check(space: Space, tree: dict[str, Any]) -> None:
    """Holds a space against the parameters that it changes.

    Args:
        tree: the content of `params.yaml`.

    Raises:
        ConfigError: it names something that is no parameter, or holds a value, or a combination of values, that the
            schema refuses.
    """
    known = leaves(tree)
    for name, parameter in space.parameters.items():
        _require_known(name, known)
        require(
            not (parameter.choices is None and parameter.whole and isinstance(known[name], float)),
            f"`parameters.{name}` goes from {parameter.low} to {parameter.high} in whole numbers, and `{name}` is"
            f" {known[name]}",
            "write the ends with a point, such as 0.0 and 1.0",
        )
    for values in _combinations(space):
        try:
            config.parse(applied(tree, values))
        except ConfigError as error:
            told = ", ".join(f"`{name}` {value}" for name, value in values.items())
            raise ConfigError(
                f"a trial could have {told}: {error.message}",
                hint=f"{error.hint}; leave it out (`choices`, or `step` in a range), or change what goes with it",
            ) from None


def leaves(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Every single value of nested parameters, by dotted key."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        found |= leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


def applied(tree: dict[str, Any], values: Values) -> dict[str, Any]:
    """The parameters with other values in the place of some."""
    changed = copy.deepcopy(tree)
    for name, value in values.items():
        *path, last = name.split(".")
        section = changed
        for part in path:
            section = section[part]
        section[last] = value
    return changed


def _combinations(space: Space) -> Iterable[Values]:
    """All combinations of what the parameters can be; of two parameters each, where all would be too many."""
    checked = {name: parameter.checked for name, parameter in space.parameters.items()}
    if math.prod(map(len, checked.values())) <= _COMBINATIONS:
        return (dict(zip(checked, values, strict=True)) for values in itertools.product(*checked.values()))
    first = {name: values[0] for name, values in checked.items()}
    return (
        first | dict(zip(pair, values, strict=True))
        for pair in itertools.combinations(checked, min(2, len(checked)))
        for values in itertools.product(*(checked[name] for name in pair))
    )


def _require_known(name: str, known: dict[str, Any]) -> None:
    if name == "tier":
        raise ConfigError(
            "`parameters.tier` is the name of a milestone, and no parameter of a model",
            hint="search within one tier; `dvc exp run -S tier=NAME` makes another",
        )
    if name in known:
        return
    inside = [key for key in known if key.startswith(f"{name}.")]
    if inside:
        raise ConfigError(
            f"`parameters.{name}` is a section of `params.yaml`, and no parameter",
            hint=f"name what is in it: {abbreviate(f'`{key}`' for key in inside)}",
        )
    near = difflib.get_close_matches(name, known, n=3)
    raise ConfigError(
        f"`parameters.{name}` is no parameter of `params.yaml`",
        hint=f"did you mean {' or '.join(f'`{key}`' for key in near)}?"
        if near
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
    doubled = [choice for number, choice in enumerate(choices) if choice in choices[:number]]
    require(not doubled, f"`parameters.{name}.choices` has {abbreviate(doubled)} twice", "name each choice once")


def _require_range(name: str, parameter: Parameter) -> None:
    low, high, step = parameter.low, parameter.high, parameter.step
    if low is None or high is None:
        raise ConfigError(
            f"`parameters.{name}` says not what `{name}` may be",
            hint="give `choices: [...]`, or `low` and `high`",
        )
    require(low < high, f"`parameters.{name}` goes from {low} to {high}", "`low` must be below `high`")
    require(
        not parameter.log or low > 0,
        f"`parameters.{name}` is spread over the logarithm, from {low}",
        "begin above 0, or leave `log` out",
    )
    if step is None:
        return
    require(not parameter.log, f"`parameters.{name}` has both `log` and `step`", "give one of them")
    require(
        step > 0 and (not parameter.whole or isinstance(step, int)),
        f"`parameters.{name}.step` is {step}",
        "use more than 0, and a whole number between whole ends",
    )
    steps = (high - low) / step
    require(
        abs(steps - round(steps)) < 1e-9,
        f"`parameters.{name}` goes from {low} to {high} by {step}, which does not lead there",
        "let `high` be `low` and a number of steps",
    )
