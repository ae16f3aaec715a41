"""The epoch whose weights a phase passes on, in the words of the card."""

from __future__ import annotations

from pathlib import Path

import pytest

from gogooku3.package.build import kept_epoch


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["-1,0", "0,0", "1,1"], "epoch 2"),
        (["-1,1", "0,0"], "those that it received: it adds nothing"),
        ([], "those that it received"),
    ],
)
def test_the_kept_epoch_is_counted_from_one(tmp_path: Path, rows: list[str], words: str) -> None:
    (tmp_path / "curve.csv").write_text("\n".join(["epoch,kept", *rows, ""]))
    assert kept_epoch(tmp_path / "curve.csv") == words
