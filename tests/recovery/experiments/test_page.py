"""The register's page and its conclusions: text of others is shown as it is, and nothing else is touched."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from gogooku3 import paths
from gogooku3.cli import main
from gogooku3.escaping import markdown
from gogooku3.runtime.files import replaced_file

from .conftest import Records

NASTY = "a | b\n| c |\n## no `heading` <img src=x> [link](http://evil.invalid) **bold** \x1b[31m\u202e &amp; $x$ \\"
RAW = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["experiments", *arguments], catch_exceptions=False)


def page(records: Records) -> str:
    assert run().exit_code == 0
    return (records.root / paths.REGISTER).read_text()


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)(?:\\\\)*\|", line)[1:-1]]


def test_text_of_others_is_neither_markup_nor_a_row(records: Records) -> None:
    records.write("metrics/validation.json", '{"rank_ic": {"1 | 2\\n": {"value": 0.1}}, "from": "| x", "to": "`"}')
    records.write("params.yaml", f"'{'k|' * 20}<b>': '`|`'\n")
    records.commit(NASTY)
    records.keep("na|me`<b>`\u202e")
    records.result(0.06, seed=2, tier="'x | y <script>'", message=f"Hypothesis: {NASTY}")
    assert run("conclude", "na|me`<b>`\u202e", NASTY).exit_code == 0
    text = page(records)
    assert RAW.search(text) is None
    assert not re.search(r"<(img|b|script)|(?<!\\)`<|(?<!\\)\[link|(?<!\\)\*\*bold", text)
    assert "## x \\| y &lt;script&gt;" in text.splitlines()
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(cells(line)) for line in table} == {9}
    (row,) = (line for line in table if "na\\|me" in line)
    shown = "a \\| b \\| c \\| \\#\\# no \\`heading\\` &lt;img src=x&gt; \\[link\\](http://evil.invalid)"
    assert [cells(row)[position].startswith(shown) for position in (2, 8)] == [True, True]
    assert run("--json").exit_code == 0


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("train.batch_size", "train.batch_size"),
        ("_emphasis_ a__b", "\\_emphasis\\_ a\\_\\_b"),
        ("a\tb\r\nc", "a b c"),
        ("\udcff\\", "\\\\xff\\\\"),
        ("Grüße 東証", "Grüße 東証"),
    ],
)
def test_markdown_shows_text_as_it_is(text: str, shown: str) -> None:
    assert markdown(text) == shown


def test_a_time_that_no_calendar_has_is_no_traceback(records: Records) -> None:
    records.clock = 10**14
    records.experiment("later", 0.06, seed=2)
    assert re.search(r"^\| later, [0-9a-f]{10} \| – \|", page(records), re.MULTILINE)


def test_a_conclusion_is_in_the_register_and_in_git_but_in_no_tag(records: Records) -> None:
    commit = records.experiment("wide", 0.08, seed=2)
    records.release("demo@v1.0.0")
    before = records.references()
    head = records.git("rev-parse", "HEAD")
    for name, sentence in (("wide", "Wider is\nbetter"), ("demo@v1.0.0", "The start"), (commit[:8], "Better: 幅")):
        assert run("conclude", name, sentence).exit_code == 0
    text = page(records)
    assert records.references() == before
    assert (records.root / paths.CONCLUSIONS).read_text().startswith("# What was learned")
    assert yaml.safe_load((records.root / paths.CONCLUSIONS).read_text()) == {
        commit: {"experiment": "wide", "learned": "Better: 幅"},
        head: {"experiment": "demo@v1.0.0", "learned": "The start"},
    }
    ends = {cells(line)[0].split(",")[0]: cells(line)[-1] for line in text.splitlines() if line.startswith("|")}
    assert (ends["wide"], ends["demo@v1.0.0"]) == ("Better: 幅", "The start")
    assert "replaced: Better: 幅" in run("conclude", "wide", "Once more").stdout
    assert records.git("status", "--porcelain", "--untracked-files=all").splitlines() == [
        "?? docs/conclusions.yaml",
        "?? docs/register.md",
    ]


def test_a_conclusion_outlives_its_experiment(records: Records) -> None:
    records.experiment("wide", 0.08, seed=2)
    run("conclude", "wide", "Wider is better")
    records.git("update-ref", "-d", records.git("for-each-ref", "--format=%(refname)", "refs/exps"))
    text = page(records)
    assert text.endswith("## Conclusions of experiments that are not in this clone\n\n- wide: Wider is better\n")
    records.commit("The register")
    records.experiment("wide", 0.09, seed=3)
    assert text.splitlines()[-3:] == page(records).splitlines()[-3:]


def test_a_name_that_is_none_or_several_is_refused(records: Records) -> None:
    first = records.experiment("twin", 0.08, seed=2)
    records.write("README.md", "words\n")
    records.commit("Words")
    second = records.experiment("twin", 0.09, seed=3)
    several = run("conclude", "twin", "x")
    assert (several.exit_code, first[:10] in several.stderr, second[:10] in several.stderr) == (2, True, True)
    for name in ("--upload-pack", "none", "0", "", "HEAD", "\udcff"):
        unknown = run("conclude", "--", name, "x")
        assert (unknown.exit_code, "dvc exp pull --all-commits" in unknown.stderr) == (3, True), name
    assert [run("conclude", "main", "x").exit_code, run("conclude", first, "x").exit_code] == [3, 0]


@pytest.mark.parametrize("sentence", ["", " \n", "\udcff"])
def test_a_sentence_that_is_none_is_refused(records: Records, sentence: str) -> None:
    records.experiment("wide", 0.08, seed=2)
    assert run("conclude", "wide", sentence).exit_code == 2
    assert not (records.root / paths.CONCLUSIONS).exists()


@pytest.mark.parametrize(
    "text",
    [
        "- a list\n",
        "<<<<<<< HEAD\n",
        "{abc: {experiment: x, learned: 1}}",
        f"{'a' * 40}: words\n",
        f"{'a' * 40}: {{experiment: x}}\n",
        "a: &a {}\nb: *a\n",
        "\x00",
        "\udcff",
    ],
)
def test_a_damaged_file_of_conclusions_is_one_error_and_stays(records: Records, text: str) -> None:
    records.experiment("wide", 0.08, seed=2)
    file = records.root / paths.CONCLUSIONS
    file.parent.mkdir()
    file.write_text(text, errors="surrogateescape")
    for arguments in (["conclude", "wide", "x"], [], ["--check"]):
        done = run(*arguments)
        assert (done.exit_code, "docs/conclusions.yaml" in done.stderr) == (3, True), done.output
    assert file.read_text(errors="surrogateescape") == text
    assert not (records.root / paths.REGISTER).exists()


def test_options_of_the_page_do_not_go_with_a_conclusion(records: Records) -> None:
    assert run("--check", "conclude", "wide", "x").exit_code == 2


@pytest.mark.slow
def test_of_conclusions_at_the_same_time_none_is_lost(records: Records) -> None:
    names = [f"trial-{seed}" for seed in range(2, 8)]
    for seed, name in enumerate(names):
        records.experiment(name, 0.05 + seed / 100, seed=seed)
    command = [sys.executable, "-m", "gogooku3.cli", "experiments", "conclude"]
    processes: list[Any] = [subprocess.Popen([*command, name, f"Of {name}"], cwd=Path.cwd()) for name in names]
    assert [process.wait() for process in processes] == [0] * len(names)
    written = yaml.safe_load((records.root / paths.CONCLUSIONS).read_text())
    assert {each["experiment"]: each["learned"] for each in written.values()} == {name: f"Of {name}" for name in names}


class _AbandonedError(Exception):
    pass


@pytest.mark.slow
def test_the_register_has_what_was_concluded_while_it_waited_for_another_process(records: Records) -> None:
    records.experiment("wide", 0.06)
    target = records.root / paths.REGISTER
    with suppress(_AbandonedError), replaced_file(target):
        second = subprocess.Popen([sys.executable, "-m", "gogooku3.cli", "experiments"], cwd=records.root)
        while not re.search(rf"-> FLOCK .* {second.pid} ", Path("/proc/locks").read_text()):
            assert second.poll() is None
            time.sleep(0.05)
        assert run("conclude", "wide", "width helps").exit_code == 0
        raise _AbandonedError
    assert second.wait() == 0
    assert "width helps" in target.read_text()
