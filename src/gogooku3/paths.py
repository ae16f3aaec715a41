"""Where things lie: DVC's cache."""

from __future__ import annotations

from pathlib import Path


def dvc_cache() -> Path | None:
    """The folder of DVC's cache for the current folder; None outside of a DVC repository."""
    # DVC takes a second to load, and few ask.
    from dvc.config import Config

    config = Config.from_cwd()
    return None if config.dvc_dir is None else Path(config["cache"].get("dir", Path(config.dvc_dir) / "cache"))


def cached(cache: Path, md5: str) -> Path:
    """Where DVC's cache keeps a file with this MD5."""
    return cache / "files" / "md5" / md5[:2] / md5[2:]
