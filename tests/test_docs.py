"""README and docs: links resolve, all verbs and exit codes are listed, and the figures are those of the demo."""

from __future__ import annotations

import csv
import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from markupsafe import Markup

from gogooku3 import errors
from gogooku3.metrics.split_file import table_of
from gogooku3.pages.words import decimal

from .verbs import VERBS, find, parse

ROOT = Path(__file__).parents[1]
TEXTS = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob(".github/**/*.md"))
}
README, COMMANDS, INDEX = TEXTS["README.md"], TEXTS["docs/commands.md"], TEXTS["docs/README.md"]

FENCE = re.compile(r"^```(?P<kind>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
LINKS = sorted({(name, link) for name, text in TEXTS.items() for link in LINK.findall(FENCE.sub("", text))})
TYPED = sorted(
    {
        (name, line.partition(" #")[0].partition(" > ")[0].strip())
        for name, text in TEXTS.items()
        for block in FENCE.finditer(text)
        for line in block["text"].replace("\\\n", " ").splitlines()
        if line.startswith("gogooku3 ")
    }
)


def anchors(text: str) -> set[str]:
    """Anchors of a page's headings, as on GitHub."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("name", "link"), LINKS, ids=lambda text: str(text))
def test_every_link_resolves_to_a_page_and_a_heading(name: str, link: str) -> None:
    if link.startswith(("http://", "https://", "mailto:")):
        return
    path, _, anchor = link.partition("#")
    target = (ROOT / name).parent / path if path else ROOT / name
    assert target.exists()
    if anchor:
        assert anchor in anchors(target.read_text(encoding="utf-8"))


def test_the_index_names_every_page() -> None:
    pages = {path.name for path in ROOT.glob("docs/*.md")} - {"README.md"}
    assert pages - {link.partition("#")[0] for link in LINK.findall(INDEX)} == set()


def test_every_verb_is_among_the_commands() -> None:
    listed = set(re.findall(r"^gogooku3 (\w+)", COMMANDS, re.MULTILINE))
    assert listed == {name for name in VERBS if " " not in name}
    subverbs = {name: name.split()[1] for name in VERBS if " " in name}
    assert [name for name, word in subverbs.items() if name not in COMMANDS and f"`{word}`" not in COMMANDS] == []


def test_every_path_of_the_glossary_exists_and_no_term_is_defined_twice() -> None:
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \| (`[^|]+`) \|$", TEXTS["docs/glossary.md"], re.MULTILINE)
    terms = [term for term, _ in rows]
    assert len(terms) > 60
    assert len(terms) == len(set(terms))
    paths = [path for _, code in rows for path in re.findall(r"`([^`]+)`", code)]
    assert [path for path in paths if not ((ROOT / path).exists() or (ROOT / "src/gogooku3" / path).exists())] == []


@pytest.mark.parametrize(("name", "line"), TYPED, ids=lambda text: str(text))
def test_every_command_is_one_of_the_verbs_with_its_options(name: str, line: str) -> None:
    context, arguments = find(shlex.split(line.partition(" && ")[0])[1:])
    known = {option for parameter in context.command.params for option in parameter.opts}
    assert {word for word in arguments if word.startswith("--")} <= known


def test_the_table_of_the_old_playbook_has_commands_and_files_that_exist() -> None:
    _, _, section = TEXTS["docs/playbook.md"].partition("## From the old playbook\n")
    rows = re.findall(r"^\| .*$", section.partition("\n## ")[0], re.MULTILINE)
    spans = re.findall(r"`([^`]+)`", "\n".join(rows))
    lines = [span for span in spans if span.startswith("gogooku3 ")]
    assert len(lines) > 20
    for line in lines:
        parse(line)
        assert all((ROOT / word).exists() for word in line.split() if word.startswith("conf/"))
    paths = [span for span in spans if re.fullmatch(r"(tests|conf|src)/[\w./]*", span)]
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_exit_code_is_listed_with_the_description_of_its_error() -> None:
    codes = dict(re.findall(r"^\| (\d+) \| (.+?) \|$", COMMANDS, re.MULTILINE))
    given = {
        str(error.exit_code)
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.UserError)
    }
    given.add(str(errors.NOT_COMPARED))
    assert codes.keys() == given | {"0"}
    table = re.sub(r"\s+", " ", str(errors.__doc__))
    for code in given - {"1", "130"}:
        assert f"{code} {codes[code]} (`" in table


def test_the_citation_names_the_version_and_licence_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])


@pytest.mark.parametrize("path", sorted(ROOT.glob(".github/**/*.yml")), ids=lambda path: path.name)
def test_workflows_and_issue_forms_are_yaml_and_use_existing_make_targets(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert isinstance(yaml.safe_load(text), dict)
    targets = re.findall(r"^([\w./-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(re.findall(r"\bmake ([\w./-]+)", text)) <= set(targets)


def page_says() -> tuple[str, str]:
    """Title and first paragraph of the demo's page."""
    page = (ROOT / "reports/tier.html").read_text(encoding="utf-8")
    title = re.search(r"<title>(.*?)</title>", page, re.DOTALL)
    lead = re.search(r'<p class="lead">(.*?)</p>', page, re.DOTALL)
    assert title is not None
    assert lead is not None
    return Markup(title[1]).unescape(), Markup(lead[1]).striptags()


def test_the_readme_shows_what_the_demo_prints() -> None:
    (shown,) = (block["text"] for block in FENCE.finditer(README) if block["text"].startswith("demo: "))
    verdict, figures, lines = shown.split("\n\n")
    title, lead = page_says()
    assert verdict == title
    assert " ".join(figures.split()) == lead
    test = table_of(json.loads((ROOT / "metrics/test.json").read_text(encoding="utf-8")))
    assert lines.splitlines()[-1].endswith(f"--from {test['from']}")


def test_the_readme_has_the_results_of_the_demo() -> None:
    def cell(estimate: dict[str, Any], form: str) -> str:
        value, low, high = (decimal(estimate[name], form) for name in ("value", "low", "high"))
        return f"{value} [{low}, {high}]"

    test = table_of(json.loads((ROOT / "metrics/test.json").read_text(encoding="utf-8")))
    (row,) = re.findall(r"^\| `demo` \| .*$", README, re.MULTILINE)
    _, _, market, _, sessions, sharpe, rank_ic, *gains, _ = (each.strip() for each in row.split("|"))
    assert market == f"synthetic, {test['universe']['stocks']} stocks"
    assert sessions == str(test["sessions"])
    assert (sharpe, rank_ic) == (cell(test["sharpe"], ".2f"), cell(test["mean_rank_ic"], ".3f"))
    page = Markup((ROOT / "reports/tier.html").read_text(encoding="utf-8")).striptags()
    assert all(gain in page for gain in gains)


def test_the_page_of_the_network_has_the_gains_of_the_demo() -> None:
    def cell(row: dict[str, str]) -> str:
        value, low, high = (decimal(float(row[name]), ".3f") for name in ("gain", "low", "high"))
        return f"{value} [{low}, {high}]"

    with (ROOT / "plots/phases.csv").open(encoding="utf-8") as file:
        gains = {(row["split"], row["phase"], row["horizon"]): cell(row) for row in csv.DictReader(file)}
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]+) \| ([^|]+) \|$", TEXTS["docs/model.md"], re.MULTILINE)
    expected = {tuple(key): (gains["validation", *key], gains["test", *key]) for _, *key in gains}
    assert {(phase, horizon): tuple(cells) for phase, horizon, *cells in rows} == expected
    (lost,) = re.findall(r"Without neighbours the model would lose (.+\]) of", TEXTS["docs/model.md"])
    page = Markup((ROOT / "reports/tier.html").read_text(encoding="utf-8")).striptags()
    assert lost in page
