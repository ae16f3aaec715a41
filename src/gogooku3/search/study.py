"""State of a search as an Optuna study in a SQLite file: finished trials, and the proposal for the next one.

The file is a cache; the experiments in Git are the source of truth, from which a lost file is rebuilt. Only failed
trials are in the file alone; after its loss they run, and fail, again.
"""

from __future__ import annotations

import itertools
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
from gogooku3.recovery.storage.failures import machine_error
from gogooku3.runtime.numerics import key
from gogooku3.search.space import Parameter, Space, Values

_EXPERIMENT, _REASON, _SPACE = "experiment", "reason", "space"

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True)
class FinishedTrial:
    """A finished trial."""

    values: Values
    value: float | None = None
    """The objective; None if the trial failed."""
    experiment: str | None = None
    """Name of the experiment with the result."""
    reason: str | None = None
    """Reason of the failure."""


class Study:
    """The finished trials of a search, in order; each is recorded once, in one transaction."""

    def __init__(self, file: Path, commit: str, space: Space) -> None:
        """
        Args:
            commit: base commit of the trials; trials of another commit are another study in the same file.

        Raises:
            ConfigError: the study was started with another space.
            DataError: the file is not a study.
        """
        self._file, self._space = file, space
        self._distributions = {name: _distribution(parameter) for name, parameter in space.parameters.items()}
        with self._readable():
            self._study = optuna.create_study(
                storage=f"sqlite:///{file}", study_name=commit, direction="maximize", load_if_exists=True
            )
            self._require_same()

    @property
    def finished(self) -> list[FinishedTrial]:
        """The finished trials, indexed by their number."""
        return [
            FinishedTrial(
                self._decoded(each), each.value, each.user_attrs.get(_EXPERIMENT), each.user_attrs.get(_REASON)
            )
            for each in self._trials()
        ]

    def propose(self) -> Values:
        """Values for the next trial; deterministic given the seed, the trial's number and the finished trials.

        Tree-structured Parzen estimator (Bergstra et al., 2011). A new sampler per trial: one with state across trials
        would propose something else after a kill. If all parameters have choices (grid search), a combination that was
        already tried is replaced by the first one that was not, so as many trials as combinations try each once.
        """
        trials = self._trials()
        sampler = TPESampler(seed=key("search", self._space.seed, len(trials)) % 2**32)
        in_memory = optuna.create_study(sampler=sampler, direction="maximize")
        in_memory.add_trials(trials)
        values = self._decoded(in_memory.ask(self._distributions))
        tried = [self._decoded(trial) for trial in trials]
        return values if values not in tried else next((each for each in self._grid() if each not in tried), values)

    def _grid(self) -> Iterator[Values]:
        """All combinations, if every parameter has choices."""
        choices = [parameter.choices for parameter in self._space.parameters.values()]
        if None not in choices:
            for values in itertools.product(*(each or () for each in choices)):
                yield dict(zip(self._space.parameters, values, strict=True))

    def contains(self, values: Values) -> bool:
        """Whether values are in the search space."""
        try:
            self._trial(FinishedTrial(values, reason=""))
        except ValueError:
            return False
        return True

    def record(self, trial: FinishedTrial) -> None:
        """Adds a finished trial, in one transaction."""
        with self._readable():
            self._study.add_trial(self._trial(trial))

    def _trials(self) -> list[FrozenTrial]:
        with self._readable():
            return self._study.trials

    def _trial(self, trial: FinishedTrial) -> FrozenTrial:
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
        """Refuses a changed space; the number of trials and the tiers may change, proposals do not depend on them."""
        content = asdict(self._space)
        del content["trials"], content["tiers"]
        recorded = self._study.user_attrs.get(_SPACE)
        if recorded is None:
            self._study.set_user_attr(_SPACE, content)
        elif recorded != content:
            raise ConfigError(
                f"this search was started at commit {self._study.study_name[:10]} with another space, objective or"
                " seed",
                hint="use `--study NAME` to start another search, or restore the search file to resume this one",
            )

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            if machine := machine_error(error, str(self._file)):
                raise machine from None
            cause = getattr(error, "orig", None) or error
            raise DataError(
                f"`{self._file}` is not a study, or cannot be used: {' '.join(str(cause).split())}",
                hint="remove it: the same command rebuilds it from the experiments",
            ) from None


def _distribution(parameter: Parameter) -> BaseDistribution:
    low, high, step = parameter.low, parameter.high, parameter.step
    if low is None or high is None:
        return CategoricalDistribution([_encoded(choice) for choice in parameter.choices or ()])
    if parameter.is_integer:
        return IntDistribution(int(low), int(high), log=parameter.log, step=int(step or 1))
    return FloatDistribution(float(low), float(high), log=parameter.log, step=None if step is None else float(step))


def _encoded(value: Any) -> Any:
    """Optuna's choices are scalars: a list is encoded as text."""
    return json.dumps(value) if isinstance(value, list) else value


def _decoded(parameter: Parameter, value: Any) -> Any:
    lists = [choice for choice in parameter.choices or () if isinstance(choice, list)]
    return next((choice for choice in lists if _encoded(choice) == value), value)
