"""Verbs with a default path read it from the project's root, also in a subfolder."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from gogooku3.cli import main

VERBS = {
    "verify": "models/package",
    "predict --output scores.csv": "models/package",
    "jquants list": "data/raw/jquants",
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_default_path_is_the_projects(verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in (".dvc", "src/deep"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "src/deep")
    assert str(tmp_path / VERBS[verb]) in CliRunner().invoke(main, verb.split()).output
    monkeypatch.chdir(tmp_path)
    said = CliRunner().invoke(main, verb.split()).output
    assert VERBS[verb] in said
    assert str(tmp_path) not in said
