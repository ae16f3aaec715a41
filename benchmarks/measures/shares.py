"""Share of each part in the run time of a dataset build, from a cProfile profile of a build in one process."""

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
        """Cumulative time of a function and all that it calls; with `caller`, of its calls by that function only.

        Raises:
            LookupError: the profile has no such call: the function or its caller was moved, renamed or not run.
        """
        cumulative: list[float] = []
        for (file, _, name), (_, _, _, seconds, callers) in self._functions.items():
            if name == function and file.endswith(f"/gogooku3/{module}.py"):
                if caller is None:
                    cumulative.append(seconds)
                else:
                    cumulative += [times[3] for (_, _, name_of), times in callers.items() if name_of == caller]
        if not cumulative:
            by = "" if caller is None else f" by `{caller}`"
            raise LookupError(f"the profile has no call of `{function}` in `gogooku3/{module}.py`{by}")
        return sum(cumulative)


def shares(profile: Profile) -> dict[str, float]:
    """Share of each part of a build; they add up to 1.

    Raises:
        LookupError: a function that is named here no longer exists or was not called.
    """
    seconds = profile.seconds
    time_series = seconds("features/feature", "own")
    hashed_inputs = seconds("assembly/fingerprint", "session_digests") + seconds(
        "assembly/fingerprint", "joined_digest"
    )
    hashed_files = seconds("runtime/files", "sha256_frame", "write_frame") + seconds(
        "runtime/files", "md5_file", "write"
    )
    targets = seconds("assembly/build", "_write_targets")
    parts = {
        "starting Python": profile.total - seconds("assembly/build", "build"),
        "reading bars": seconds("assembly/history", "sessions") + seconds("assembly/history", "market", "_make"),
        "hashing bars": hashed_inputs,
        "time-series features": time_series,
        "cross-sectional step: ranks, robust z-scores": seconds("features/block", "feature_block") - time_series,
        "graph": seconds("features/graph", "edges"),
        "matrices to rows": seconds("features/month", "frame", "month_frames"),
        "targets": targets - seconds("dataset/contents", "write_frame", "_write_targets"),
        "writing parquet files": seconds("runtime/files", "write_parquet", "write_frame"),
        "hashing files and their content": hashed_files,
        "JSON files, fit of the normalisation": (
            seconds("dataset/preprocess", "fit") + seconds("runtime/files", "write_json")
        ),
    }
    parts["the rest"] = profile.total - sum(parts.values())
    return {part: seconds / profile.total for part, seconds in parts.items()}
