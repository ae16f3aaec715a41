"""Where the time of a build goes, from a profile of the one process that made it."""

from __future__ import annotations

import pstats
from pathlib import Path


class Profile:
    """A profile of `python -m gogooku3.stages dataset`."""

    def __init__(self, path: Path) -> None:
        statistics = pstats.Stats(str(path))
        self.total: float = statistics.total_tt  # type: ignore[attr-defined]
        self._functions = statistics.stats  # type: ignore[attr-defined]

    def seconds(self, module: str, function: str, caller: str | None = None) -> float:
        """In a function and all that it calls; of the calls by one caller alone, if it is named."""
        total = 0.0
        for (file, _, name), (_, _, _, inside, callers) in self._functions.items():
            if name == function and file.endswith(f"gogooku3/{module}.py"):
                by = [spent[3] for (_, _, calling), spent in callers.items() if calling == caller]
                total += inside if caller is None else sum(by)
        return total


def shares(profile: Profile) -> dict[str, float]:
    """Share of each part of a build."""
    inside = profile.seconds
    own = inside("dataset/feature", "own")
    content, bytes_ = inside("files", "sha256_frame", "write_frame"), inside("files", "sha256_file", "write")
    targets = inside("dataset/build", "_write_targets") - inside("dataset/contents", "write_frame", "_write_targets")
    parts = {
        "starting Python": profile.total - inside("dataset/build", "build"),
        "bars read and laid out": inside("dataset/history", "sessions") + inside("dataset/history", "market", "make"),
        "bars hashed": inside("dataset/identity", "session_digests"),
        "each stock's own values": own,
        "values beside those of other stocks: ranks, robust z-scores": inside("dataset/block", "feature_block") - own,
        "graph": inside("dataset/graph", "edges"),
        "matrices turned into rows": inside("dataset/months", "frame", "_made"),
        "targets": targets,
        "files written": inside("files", "write_parquet", "write_frame"),
        "files and what they hold hashed": content + bytes_,
        "documents": inside("dataset/build", "_preprocess") + inside("files", "write_json"),
    }
    parts["the rest"] = profile.total - sum(parts.values())
    return {part: seconds / profile.total for part, seconds in parts.items()}
