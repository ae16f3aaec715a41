from __future__ import annotations

import os
import subprocess
import sys

from gogooku3.cli.verb_reference import markdown

from ..verbs import ROOT, VERBS

PAGE = ROOT / "docs/cli.md"


def test_the_committed_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == markdown(), "python src/gogooku3 cli.verb_reference > docs/cli.md"


def test_every_verb_has_a_heading_and_those_of_the_help_are_linked() -> None:
    text = markdown()
    for name in VERBS:
        assert f"# gogooku3 {name}\n" in text
        assert (f"(#gogooku3-{name})" in text) == (" " not in name)


def test_the_page_does_not_depend_on_the_terminal() -> None:
    command = [sys.executable, "src/gogooku3", "cli.verb_reference"]
    narrow = os.environ | {"COLUMNS": "40"}
    done = subprocess.run(command, cwd=ROOT, env=narrow, capture_output=True, text=True, check=True)
    assert done.stdout == markdown()
