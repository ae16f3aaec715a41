"""What an evening leaves for the next one: the hash of every session's bars, the newest bars, and the scores.

The folder of a release is named by what the release is: package and parameters. Beside these files it
has the features of the last sessions (`recent`), and the distributions of training (`drift`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from gogooku3.assembly.history import History
from gogooku3.config import Params
from gogooku3.errors import RefusedError
from gogooku3.package.manifest import MANIFEST
from gogooku3.runtime.files import exclusive, sha256_file, sha256_frame, write_json, write_parquet
from gogooku3.serving.release import slug

KEPT_SESSIONS = 64
"""Sessions whose bars are kept, to show what a revision changed."""


@dataclass(frozen=True)
class Revisions:
    """How bars differ from those of the last evening, up to its last session."""

    compared: int
    """Sessions of the last evening."""
    changed: tuple[str, ...]
    """Sessions with other bars, or another level of the index."""
    late: tuple[str, ...]
    """Sessions that were not there."""
    removed: tuple[str, ...]
    bars: pl.DataFrame
    """`Date`, `Code`, `column`, `before`, `now` of the changed values in the sessions whose bars are kept; null where
    there is no bar."""


class State:
    """The state folder of a release."""

    def __init__(self, root: Path, name: str, package: Path, params: Params) -> None:
        content = [sha256_file(package / MANIFEST), asdict(params.dataset), asdict(params.quotes)]
        key = slug(json.dumps(content, sort_keys=True, default=str))
        self.folder = root / f"{name.replace('/', '%')}-{key}"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Context manager: one evening at a time; raises `RefusedError` if another process works on one."""

        def busy(process: str) -> RefusedError:
            return RefusedError(
                f"another process scores with the state in `{self.folder}`{process}",
                hint="wait for its end, or name another folder (`--state`)",
            )

        with exclusive(self.folder / "lock", busy):
            yield

    @property
    def last_evening(self) -> date | None:
        """The last session of the last evening; None before the first."""
        known = self._known()
        return None if known is None else date.fromisoformat(known["session"])

    def revisions(self, history: History, hashes: dict[str, str]) -> Revisions | None:
        """How the bars differ from those of the last evening; None before the first."""
        known = self._known()
        if known is None:
            return None
        before, last = known["hashes"], known["session"]
        changed = tuple(day for day, digest in before.items() if hashes.get(day, digest) != digest)
        late = tuple(day for day in hashes if day not in before and day <= last)
        removed = tuple(day for day in before if day not in hashes)
        return Revisions(len(before), changed, late, removed, self._values(history, changed))

    def reference(self) -> dict[str, Any] | None:
        """The distributions of training; None if they are not known yet."""
        return _read(self.folder / "reference.json")

    def write_reference(self, content: dict[str, Any]) -> None:
        """Keeps the distributions of training."""
        write_json(content, self.folder / "reference.json")

    def write(self, history: History, hashes: dict[str, str], scores: pl.DataFrame) -> None:
        """Keeps an evening: its bars' hashes, the newest bars, and the scores of its last session.

        Scores of earlier sessions are not kept: they were not known on their own evening.
        """
        first = history.sessions[-KEPT_SESSIONS:][0].item()
        newest = history.bars.filter(pl.col("Date") >= first).collect()
        with exclusive(self.folder / "lock"):
            write_parquet(newest, self.folder / "bars.parquet")
            last = history.sessions[-1]
            write_parquet(scores.filter(pl.col("Date") == last.item()), self.scores / f"{last}.parquet")
            write_json({"session": str(history.sessions[-1]), "hashes": hashes}, self.folder / "evening.json")

    @property
    def scores(self) -> Path:
        """The folder with the scores of past evenings, one file per session."""
        return self.folder / "scores"

    def _known(self) -> dict[str, Any] | None:
        return _read(self.folder / "evening.json")

    def _values(self, history: History, changed: tuple[str, ...]) -> pl.DataFrame:
        days = [date.fromisoformat(day) for day in changed]
        kept = pl.read_parquet(self.folder / "bars.parquet") if changed else history.bars.head(0).collect()
        in_kept = [day for day in days if len(kept) and day >= kept["Date"].min()]  # type: ignore[operator]
        now = history.bars.filter(pl.col("Date").is_in(in_kept)).collect()
        sides = [
            frame.filter(pl.col("Date").is_in(in_kept)).unpivot(
                index=["Date", "Code"], variable_name="column", value_name=name
            )
            for frame, name in ((kept, "before"), (now, "now"))
        ]
        both = sides[0].join(sides[1], on=["Date", "Code", "column"], how="full", coalesce=True)
        return both.filter(pl.col("before").ne_missing(pl.col("now"))).sort("Date", "Code", "column")


def session_hashes(history: History) -> dict[str, str]:
    """SHA-256 of the bars and the index level of every date, ascending; loads a year of bars at a time."""
    levels = dict(history.index.select("Date", "Close").iter_rows())
    sessions = history.sessions
    hashes: dict[str, str] = {}
    for year in sorted({day.item().year for day in sessions}):
        bars = history.bars.filter(pl.col("Date").dt.year() == year).collect()
        for (day,), frame in bars.group_by("Date", maintain_order=True):
            content = f"{sha256_frame(frame.drop('Date'))} {levels.get(day)!r}"
            hashes[str(day)] = hashlib.sha256(content.encode()).hexdigest()
    return hashes


def bars_hash(hashes: dict[str, str]) -> str:
    """SHA-256 over the hashes of all sessions."""
    return hashlib.sha256(json.dumps(hashes).encode()).hexdigest()


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return content
