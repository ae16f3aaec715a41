"""The library: `gogooku3.load` gives a released model that scores data frames, in any Python process."""

from __future__ import annotations

import json
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from gogooku3.errors import DataError
from gogooku3.model.ensemble import Model as Network
from gogooku3.model.inputs import PanelOnDevice
from gogooku3.model.probe import mismatch
from gogooku3.model.scoring import score
from gogooku3.model.weights import load as load_network
from gogooku3.package.environment import read_numerics
from gogooku3.package.golden import max_golden_difference
from gogooku3.package.manifest import check_manifest
from gogooku3.panel.panel import read_panel
from gogooku3.panel.table import to_frame
from gogooku3.recovery.checks.golden import TOLERANCE
from gogooku3.recovery.checks.verdict import Verdict
from gogooku3.serving.bars import BarFiles, read
from gogooku3.serving.release import Release, Wanted, read_metrics, resolve
from gogooku3.serving.scorer import Scorer, as_day, first_session, require_fitting
from gogooku3.serving.torch_settings import as_packaged

if TYPE_CHECKING:
    import torch

    from gogooku3.config.numerics import Numerics

_LOCK = threading.Lock()
"""Torch's settings are those of the process: one thread at a time scores."""


class UnpinnedWarning(UserWarning):
    """Scores are not bitwise those of the package's domain, but equal within a tolerance."""


class Model:
    """A released model."""

    def __init__(self, release: Release) -> None:
        """Checks the package's files against its manifest.

        Raises:
            DataError: it is no package.
            MismatchError: a file was altered.
        """
        check_manifest(release.package)
        self._release = release
        self._exact: bool | None = None

    def __repr__(self) -> str:
        return f"<gogooku3 model {self.name}>"

    @property
    def name(self) -> str:
        """The release's tag, or the name of the package's folder."""
        return self._release.name

    @property
    def folder(self) -> Path:
        """The package's folder."""
        return self._release.package

    @cached_property
    def card(self) -> str:
        """The model card: Markdown with YAML front matter."""
        return (self.folder / "README.md").read_text(encoding="utf-8")

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """The metrics of `validation`, `test` and `baselines`, the tables of `metrics.json`."""
        return read_metrics(self.folder)

    @property
    def horizons(self) -> tuple[int, ...]:
        """Horizons of the scores, in sessions."""
        return tuple(self._network.architecture.horizons)

    def verify(self) -> Verdict:
        """Runs every check of `gogooku3 verify` that needs no dataset; `.good` is whether none failed."""
        from gogooku3.recovery.verify import default_inputs, verify

        with _LOCK, as_packaged(read_numerics(self.folder)):
            return verify(self.folder, dataset=None, lock=default_inputs(self.folder)[1])

    def score(
        self,
        bars: Any,
        *,
        listed: Any = None,
        index: Any = None,
        joined: str | Path | None = None,
        first: date | str | None = None,
        state: str | Path | None = None,
    ) -> pl.DataFrame:
        """Scores the last sessions of a history of bars, as `gogooku3 predict` scores a dataset that is built from it.

        Args:
            bars: one row per stock and session, from the release's first session on: `Code`, `Date`, `Open`, `High`,
                `Low`, `Close` (as traded, in currency), `Volume` (shares), and optionally `TurnoverValue` (currency)
                and `AdjustmentFactor` (1.0 but on the ex-date of a split). A polars frame, any frame with Arrow's
                C stream such as pandas', or the path of a file or of a folder of quotes. A release that was made from
                own files takes their column names.
            listed: `Code`, `Sector33`, `MarketSegment`: one row per stock. None if the bars have them, or are a folder.
            index: `Date`, `Close`: level of the market index per session. None if the release's index was the
                equal-weight one, or if the bars are a folder.
            joined: folder of the joined tables, if the release has some.
            first: the first session to score, or the day after which it lies; None: the last session alone.
            state: folder that keeps the features of the last sessions; with it, the next evening takes a fraction of
                the time.

        Returns:
            `Date`, `Code`, `score_<horizon>` (float32): one row per bar. Higher is better; only the order within a
            session has a meaning.

        Raises:
            ConfigError: the listing or the index of the release is missing.
            DataError: the parameters of the package are not known, bars break a rule of the release, or no session is
                as late as `first`.
            MismatchError: the parameters are not those of the package, or this version computes other features.

        Warns:
            UnpinnedWarning: this process does not compute the package's bits.
        """
        scorer = self._scorer
        params = scorer.params
        with TemporaryDirectory(prefix="gogooku3-frames-") as folder:
            places = [_file(each, Path(folder) / f"{n}.parquet") for n, each in enumerate((bars, listed, index))]
            if places[0] is None:
                raise DataError("no bars are given", hint="pass a frame, or the path of a file")
            files = BarFiles(places[0], *places[1:])
            history = read(files, params.quotes, date.max)
            begin = first_session(history, first)
            with self._computing() as (device, numerics):
                scored = scorer.score_bars(
                    history,
                    begin,
                    device,
                    numerics,
                    joined=None if joined is None else Path(joined),
                    state=None if state is None else Path(state),
                )
        return scored.frame()

    def score_dataset(
        self, folder: str | Path, *, first: date | str | None = None, last: date | str | None = None
    ) -> pl.DataFrame:
        """Scores the sessions from `first` to `last` of a dataset, all by default; needs no parameters.

        Returns:
            `Date`, `Code`, `score_<horizon>` (float32): one row per bar.

        Raises:
            DataError: the dataset is missing or corrupt, or has no session in the range.
            MismatchError: it has other features, horizons or another clip.

        Warns:
            UnpinnedWarning: this process does not compute the package's bits.
        """
        preprocess = json.loads((self.folder / "preprocess.json").read_text(encoding="utf-8"))
        panel = read_panel(Path(folder), preprocess)
        require_fitting(self._network, panel, self.folder, Path(folder))
        begin = 0 if first is None else int(np.searchsorted(panel.sessions, as_day(first)))
        end = len(panel.sessions)
        if last is not None:
            end = int(np.searchsorted(panel.sessions, as_day(last), side="right"))
        if begin >= end:
            raise DataError(
                f"`{folder}` has no session from {first or 'its start'} to {last or 'its end'}; it runs from"
                f" {panel.sessions[0]} to {panel.sessions[-1]}",
                hint="choose dates within that range",
            )
        with self._computing() as (device, _):
            inputs = PanelOnDevice(panel, self._network.architecture.backbone.window, device)
            return to_frame(panel, score(self._network, inputs, begin, end - 1), begin)

    @cached_property
    def _network(self) -> Network:
        return load_network(self.folder)

    @cached_property
    def _scorer(self) -> Scorer:
        if self._release.params is None:
            from gogooku3.serving.parameters import of_package

            self._release = replace(self._release, params=of_package(self.folder))
        assert self._release.params is not None
        return Scorer(self.folder, self._release.params, self._network)

    @contextmanager
    def _computing(self) -> Iterator[tuple[torch.device, Numerics]]:
        """Context manager: torch's settings of the package; warns once if this process does not compute its bits."""
        with _LOCK, as_packaged(read_numerics(self.folder)) as (device, numerics):
            self._network.to_device(device, numerics)
            if self._exact is None:
                difference = max_golden_difference(self._network, self.folder, device)
                self._exact = difference == 0 and mismatch(numerics) is None
                if not self._exact:
                    warnings.warn(
                        f"this process was not pinned to the numerics of {self.name}: scores are equal to those of"
                        f" `gogooku3 score` only within {TOLERANCE[numerics.precision]:g} of the largest. Call"
                        " `gogooku3.pin(package)` before NumPy and torch are imported",
                        UnpinnedWarning,
                        stacklevel=4,
                    )
            yield device, numerics


def load(name: str | Path, repo: str | None = None, *, params: str | Path | None = None) -> Model:
    """A released model.

    Args:
        name: a package folder; or a release, `TIER@VERSION` or `TIER` for its best version, which is fetched once into
            the user's cache folder and verified.
        repo: URL or folder of the Git repository of a release.
        params: the `params.yaml` of a package folder that no repository records; only `score` needs it.

    Raises:
        DataError: there is no such package or release.
        MismatchError: the package does not match its manifest, or the release does not verify.
        StoreError, GitError: bucket or repository cannot be reached.
    """
    wanted = Wanted(str(name), repo, params=None if params is None else Path(params))
    return Model(resolve(wanted, require_params=params is not None))


def _file(given: Any, target: Path) -> Path | None:
    """The path of a frame: as it is, or that of a parquet file that is written for it."""
    if given is None or isinstance(given, Path):
        return given
    if isinstance(given, str):
        return Path(given)
    _polars(given).write_parquet(target)
    return target


def _polars(frame: Any) -> pl.DataFrame:
    if isinstance(frame, pl.DataFrame):
        return frame
    if isinstance(frame, pl.LazyFrame):
        return frame.collect()
    if hasattr(frame, "__arrow_c_stream__"):
        return pl.DataFrame(frame)
    raise DataError(
        f"a {type(frame).__name__} is no data frame: it has no Arrow C stream (`__arrow_c_stream__`)",
        hint="pass a frame of polars, pandas or pyarrow, or the path of a file",
    )
