"""An evening: reads the bars, checks them, scores them, checks the scores, and says what to trade."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import torch

from gogooku3.assembly.history import History
from gogooku3.config.numerics import Numerics
from gogooku3.errors import ConfigError
from gogooku3.evaluation.weights import score_weights
from gogooku3.model.probe import mismatch
from gogooku3.package.environment import read_numerics
from gogooku3.serving import checks, drift
from gogooku3.serving.bars import BarFiles, read
from gogooku3.serving.finding import Finding
from gogooku3.serving.release import Release, read_metrics
from gogooku3.serving.scorer import Scored, Scorer, first_session
from gogooku3.serving.state import State, bars_hash, session_hashes
from gogooku3.serving.torch_settings import as_packaged


@dataclass(frozen=True, eq=False)
class Evening:
    """The result of an evening."""

    release: Release
    findings: tuple[Finding, ...]
    accepted: tuple[str, ...]
    """Names of checks whose failure does not keep the scores from being written."""
    scored: Scored
    weights_TS: np.ndarray
    """Target weights of the release's portfolio, for the sessions of `scored.panel`."""
    first: int
    """The first session that is written, among those of `scored.panel`."""
    bars: str
    """SHA-256 of all bars."""
    shifts: tuple[drift.Shift, ...]

    @property
    def frame(self) -> pl.DataFrame:
        """`Date`, `Code`, `score_<horizon>`, `weight`: one row per bar of the written sessions."""
        frame = self.scored.frame(self.first)
        present_TS = self.scored.panel.present_TS[self.first :]
        return frame.with_columns(weight=self.weights_TS[self.first :][present_TS])

    @property
    def refused(self) -> tuple[Finding, ...]:
        """The failed checks that were not accepted."""
        failed = (finding for finding in self.findings if finding.level == "failed")
        return tuple(finding for finding in failed if finding.name not in self.accepted)


def run(
    release: Release,
    files: BarFiles,
    state_root: Path,
    evening: date,
    first: date | None = None,
    accepted: Sequence[str] = (),
) -> tuple[Evening, State, History, dict[str, str]]:
    """Checks and scores the bars of an evening; writes nothing but the features in the state folder.

    Args:
        first: the first session to write; None: the last one.
        accepted: checks that may fail.

    Raises:
        ConfigError: the listing or index of the release is not named, or its parameters are not known.
        DataError: package or bars are missing, damaged or invalid, or no session is as late as `first`.
        MismatchError: the package does not match its manifest, its parameters, or this version's features.
        RefusedError: another process scores with the same state.
    """
    params = release.params
    if params is None:
        raise ConfigError("the parameters of the package are not known", hint="name them with `--params FILE`")
    scorer = Scorer(release.package, params)
    history = read(files, params.quotes, evening)
    state = State(state_root, release.name, release.package, params)
    sessions = history.sessions
    begin = first_session(history, first)
    with state.lock(), as_packaged(read_numerics(release.package)) as (device, numerics):
        hashes = session_hashes(history)
        since = state.last_evening
        findings = [
            checks.model(scorer.golden_difference(device, numerics), mismatch(numerics)),
            checks.history(sessions, params),
            checks.freshness(sessions[-1].item(), evening, params),
            checks.coverage(history, _measured_until(release.package)),
            checks.revisions(state.revisions(history, hashes)),
            checks.listings(history, since),
            checks.splits(history, since),
        ]
        compared = max(0, min(begin, len(sessions) - drift.SESSIONS))
        scored = scorer.score_bars(history, compared, device, numerics, joined=files.joined, state=state.folder)
        trained = state.reference() or _reference(scorer, history, device, numerics, files.joined)
        if trained is not None and state.reference() is None:
            state.write_reference(trained)
    findings.append(checks.scores(scored))
    shifts = [] if trained is None else drift.shifts(scored, scorer.schema, trained)
    if trained is None:
        findings.append(Finding("drift", "noted", "not checked: the bars do not have the end of training"))
    else:
        findings.append(drift.finding(shifts, trained))
    portfolio = params.evaluation.portfolio
    traded_TS = scored.scores_TSH[..., scorer.schema.horizons.index(portfolio.horizon)]
    weights_TS = score_weights(traded_TS, sectors(history, scored.panel.codes), portfolio)
    done = Evening(
        release=release,
        findings=tuple(findings),
        accepted=tuple(accepted),
        scored=scored,
        weights_TS=weights_TS,
        first=scored.row(sessions[begin]),
        bars=bars_hash(hashes),
        shifts=tuple(shifts),
    )
    return done, state, history, hashes


def sectors(history: History, codes: Sequence[str]) -> list[str]:
    """The sector of each stock; "" for one that is no longer listed."""
    of_code = dict(history.listed.select("Code", "Sector33").iter_rows())
    return [of_code.get(code) or "" for code in codes]


def _measured_until(package: Path) -> date:
    """The last session that the release was measured on."""
    return date.fromisoformat(read_metrics(package)["test"]["to"])


def _reference(
    scorer: Scorer, history: History, device: torch.device, numerics: Numerics, joined: Path | None
) -> dict[str, Any] | None:
    """The distributions at the end of training, from the bars; None if they do not reach back to it."""
    split, sessions = scorer.params.dataset.split, history.sessions
    stop = int(np.searchsorted(sessions, np.datetime64(split.validation_from))) - split.embargo
    lookback = max(column.lookback for column in scorer.schema.features)
    first = stop - drift.SESSIONS
    if first - scorer.window < lookback:
        return None
    with TemporaryDirectory(prefix="gogooku3-score-") as folder:
        scored = scorer.score_bars(history, first, device, numerics, stop=stop, joined=joined, state=Path(folder))
    return drift.reference(scored, scorer.schema)
