"""What a search has learnt so far, as an Optuna study in a SQLite file, and what it proposes next.

The file is a memory, and the experiments in Git are the truth: when it is lost, it is filled again from them. Only
failures stand in it alone; a failed trial that is forgotten runs, and fails, again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.exc import SQLAlchemyError

from gogooku3.errors import ConfigError, DataError
from gogooku3.runtime.numerics import key
from gogooku3.search.space import Parameter, Space, Values

_EXPERIMENT, _REASON, _SPACE = "experiment", "reason", "space"

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True)
class Known:
    """A finished trial."""

    values: Values
    value: float | None = None
    """The objective; None where it failed."""
    experiment: str | None = None
    """Which experiment has the result."""
    reason: str | None = None
    """Why there is none."""


class Study:
    """The finished trials of a search, in order, each recorded once and whole."""

    def __init__(self, file: Path, commit: str, space: Space) -> None:
        """
        Args:
            commit: what the trials change; those of another commit are another study in the same file.

        Raises:
            ConfigError: the study was begun with another space.
            DataError: the file is no study.
        """
        self._file, self._space = file, space
        self._distributions = {name: _distribution(parameter) for name, parameter in space.parameters.items()}
        with self._readable():
            self._study = optuna.create_study(
                storage=f"sqlite:///{file}", study_name=commit, direction="maximize", load_if_exists=True
            )
            self._require_same()

    @property
    def known(self) -> list[Known]:
        """The finished trials; each stands at its number."""
        return [
            Known(self._decoded(each), each.value, each.user_attrs.get(_EXPERIMENT), each.user_attrs.get(_REASON))
            for each in self._trials()
        ]

    def propose(self) -> Values:
        """What the next trial is to try: by the seed, the trial's number and what is known, and by nothing else.

        Tree-structured Parzen estimator (Bergstra et al., 2011). A sampler that lived from trial to trial would, after
        a kill, propose something else.
        """
        trials = self._trials()
        sampler = TPESampler(seed=key("search", self._space.seed, len(trials)) % 2**32)
        memory = optuna.create_study(sampler=sampler, direction="maximize")
        memory.add_trials(trials)
        return self._decoded(memory.ask(self._distributions))

    def holds(self, values: Values) -> bool:
        """Whether values lie in the space."""
        try:
            self._trial(Known(values, reason=""))
        except ValueError:
            return False
        return True

    def record(self, trial: Known) -> None:
        """Adds a finished trial, in one transaction."""
        with self._readable():
            self._study.add_trial(self._trial(trial))

    def _trials(self) -> list[FrozenTrial]:
        with self._readable():
            return self._study.trials

    def _trial(self, trial: Known) -> FrozenTrial:
        attributes = {_EXPERIMENT: trial.experiment, _REASON: trial.reason}
        return create_trial(
            state=TrialState.FAIL if trial.value is None else TrialState.COMPLETE,
            value=trial.value,
            params={name: _encoded(value) for name, value in trial.values.items()},
            distributions=self._distributions,
            user_attrs={name: value for name, value in attributes.items() if value is not None},
        )

    def _decoded(self, trial: FrozenTrial | optuna.Trial) -> Values:
        return {name: _decoded(parameter, trial.params[name]) for name, parameter in self._space.parameters.items()}

    def _require_same(self) -> None:
        """More trials may be asked for later; all that decides what they try stays."""
        content = asdict(self._space)
        del content["trials"]
        begun = self._study.user_attrs.get(_SPACE)
        if begun is None:
            self._study.set_user_attr(_SPACE, content)
        elif begun != content:
            raise ConfigError(
                f"this search was begun at commit {self._study.study_name[:10]} with another space, objective or seed",
                hint="`--study NAME` begins another beside it; to go on with this one, put its file back as it was",
            )

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            told = getattr(error, "orig", None) or error
            raise DataError(
                f"`{self._file}` is no study, or cannot be used: {' '.join(str(told).split())}",
                hint="remove it: the same command fills it again from the experiments",
            ) from None


def _distribution(parameter: Parameter) -> BaseDistribution:
    low, high, step = parameter.low, parameter.high, parameter.step
    if low is None or high is None:
        return CategoricalDistribution([_encoded(choice) for choice in parameter.choices or ()])
    if parameter.whole:
        return IntDistribution(int(low), int(high), log=parameter.log, step=int(step or 1))
    return FloatDistribution(float(low), float(high), log=parameter.log, step=None if step is None else float(step))


def _encoded(value: Any) -> Any:
    """Optuna's choices are single values: a list is one as text."""
    return json.dumps(value) if isinstance(value, list) else value


def _decoded(parameter: Parameter, value: Any) -> Any:
    lists = [choice for choice in parameter.choices or () if isinstance(choice, list)]
    return next((choice for choice in lists if _encoded(choice) == value), value)
