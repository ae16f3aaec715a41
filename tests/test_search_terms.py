"""A text search of the source for a term of the field finds the relevant file, among few others."""

from __future__ import annotations

from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src/gogooku3"

MOST = 25
"""Maximum number of files with the term."""

ANSWERS = {
    "look-ahead": "evaluation/checks.py",
    "leakage": "dataset/splits.py",
    "purge": "dataset/splits.py",
    "embargo": "dataset/splits.py",
    "point in time": "features/graph.py",
    "as-of join": "features/asof.py",
    "survivorship": "evaluation/checks.py",
    "OHLCV": "quotes/schema.py",
    "corporate action": "features/market.py",
    "rate limit": "download/transport.py",
    "data loader": "model/prefetch.py",
    "prefetch": "model/prefetch.py",
    "memory-mapped": "panel/memmap.py",
    "worker process": "assembly/workers.py",
    "cache key": "assembly/fingerprint.py",
    "world size": "training/distributed.py",
    "barrier": "training/distributed.py",
    "all-reduce": "training/gradients.py",
    "checkpoint": "training/checkpoints.py",
    "early stopping": "training/history.py",
    "SIGTERM": "runtime/interruption.py",
    "rebalanc": "evaluation/portfolio.py",
    "transaction cost": "evaluation/portfolio.py",
    "long-short": "evaluation/weights.py",
    "turnover limit": "evaluation/portfolio.py",
    "drawdown": "metrics/returns.py",
    "information coefficient": "metrics/ranking.py",
    "confidence interval": "metrics/bootstrap.py",
    "multiple testing": "metrics/sharpe_significance.py",
    "permutation importance": "attribution/importance.py",
    "walk-forward": "walk_forward/plan.py",
    "hyperparameter": "search/search.py",
    "model card": "package/card.py",
    "provenance": "package/lineage.py",
    "integrity": "recovery/verify.py",
    "checksum": "package/manifest.py",
    "timeout": "recovery/storage/timeouts.py",
    "backoff": "download/transport.py",
}


@pytest.mark.parametrize("term", ANSWERS)
def test_a_search_for_the_term_finds_the_file(term: str) -> None:
    hits = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if term.lower() in path.read_text(encoding="utf-8").lower()
    }
    assert ANSWERS[term] in hits
    assert len(hits) <= MOST
