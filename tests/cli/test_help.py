"""Help: fast, grouped by task, with examples that work; every verb is documented."""

from __future__ import annotations

import re
import resource
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner

from gogooku3.cli import SECTIONS, main

from ..verbs import VERBS, documented, examples, find, parse

HEAVY = {
    *("aiohttp", "altair", "dataframely", "dvc", "exchange_calendars", "fsspec", "gcsfs", "gto", "hydra", "lightgbm"),
    *("numpy", "omegaconf", "optuna", "pandas", "polars", "pyarrow", "pydantic", "safetensors", "sklearn", "torch"),
    *("yaml",),
}
"""Libraries that load slowly, or that read settings which a verb must pin first."""
LOADED = f"import sys; print(sorted({HEAVY} & sys.modules.keys()))"
SECONDS = 0.4
"""Maximum CPU time of the help on a loaded machine; on an idle one it takes less than 0.1."""
DOCUMENTED = sorted(set(documented()))


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def processor_time(*arguments: str) -> float:
    def used() -> float:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return children.ru_utime + children.ru_stime

    before = used()
    subprocess.run([sys.executable, "-m", "gogooku3.cli", *arguments], capture_output=True, check=True)
    return used() - before


def test_the_help_loads_no_verb_and_nothing_heavy() -> None:
    program = f"from gogooku3.cli import main\nmain(['--help'], standalone_mode=False)\n{LOADED}"
    assert run(program).endswith("\n[]\n")
    verbs = "print([name for name in sys.modules if name.startswith('gogooku3.cli.')])"
    assert run(f"{program}\n{verbs}").endswith("\n['gogooku3.cli.lazy_group', 'gogooku3.cli.output']\n")


def test_the_modules_of_the_verbs_load_nothing_heavy() -> None:
    program = f"from gogooku3.cli.verb_reference import markdown\nassert markdown()\n{LOADED}"
    assert run(program) == "[]\n"


@pytest.mark.parametrize("arguments", [("--help",), ("recover", "--help")], ids=" ".join)
def test_the_help_is_fast(arguments: tuple[str, ...]) -> None:
    assert min(processor_time(*arguments) for _ in range(3)) < SECONDS


@pytest.mark.parametrize("arguments", [(), ("archive",), ("archive", "create")], ids=" ".join)
def test_the_short_option_prints_the_same_help(arguments: tuple[str, ...]) -> None:
    short, long = (CliRunner().invoke(main, [*arguments, option]) for option in ("-h", "--help"))
    assert (short.exit_code, short.output) == (0, long.output)


def test_the_help_lists_every_verb_once_by_task() -> None:
    listed = [name for section in SECTIONS.values() for name in section]
    files = {path.stem for path in Path(main.callback.__code__.co_filename).parent.glob("*.py")}
    assert len(listed) == len(set(listed))
    assert set(listed) <= files
    text = CliRunner().invoke(main, ["--help"]).output
    assert re.findall(r"^([A-Z][\w ]+):$", text, re.MULTILINE) == ["Options", *SECTIONS]
    assert re.findall(r"^  ([a-z]+)  +[A-Z]", text, re.MULTILINE) == listed


@pytest.mark.parametrize("name", [name for name in VERBS if " " not in name])
def test_the_summary_of_a_verb_is_the_one_in_the_help(name: str) -> None:
    summary = next(section[name] for section in SECTIONS.values() if name in section)
    assert (VERBS[name].command.help or "").partition("\n")[0] == summary


@pytest.mark.parametrize("name", VERBS)
def test_summaries_fit_into_their_line(name: str) -> None:
    assert not re.search(r"^  [\w-]+ .*\.\.\.$", VERBS[name].get_help(), re.MULTILINE)


@pytest.mark.parametrize("name", VERBS)
def test_every_option_is_explained(name: str) -> None:
    options = (each for each in VERBS[name].command.params if isinstance(each, click.Option))
    assert [option.opts for option in options if not option.help] == []


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_has_an_example_of_itself(name: str) -> None:
    lines = examples(VERBS[name].get_help())
    assert lines
    assert all(f"{line} ".startswith(f"gogooku3 {name} ") for line in lines)


@pytest.mark.parametrize(
    "line", [line for each in (*VERBS.values(), VERBS["diff"].parent) for line in examples(each.get_help())]
)
def test_every_example_is_a_command_line_that_is_accepted(line: str) -> None:
    parse(line)


def test_an_example_with_an_unknown_option_is_found() -> None:
    with pytest.raises(click.UsageError, match="No such option"):
        parse("gogooku3 tiers --chek")
    with pytest.raises(click.UsageError, match="Missing"):
        parse("gogooku3 archive create")


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_is_documented(name: str) -> None:
    called = {find(shlex.split(line)[1:])[0].command_path for _, line in DOCUMENTED}
    assert any(f"{path} ".startswith(f"gogooku3 {name} ") for path in called)


@pytest.mark.parametrize(("page", "line"), DOCUMENTED, ids=lambda text: text)
def test_every_documented_command_line_is_accepted(
    page: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "$SETTINGS").touch()
    monkeypatch.chdir(tmp_path)
    parse(line)


def test_a_misspelt_verb_gets_a_suggestion() -> None:
    done = CliRunner().invoke(main, ["recovr"])
    assert done.exit_code == 2
    assert "recover" in done.output.rpartition("recovr")[2]


@pytest.mark.parametrize(
    ("arguments", "incomplete", "values"),
    [
        ([], "re", {"report", "recover", "reproduce"}),
        (["archive"], "", {"create", "list", "restore"}),
        (["tiers"], "--c", {"--check"}),
    ],
)
def test_the_shell_completes_verbs_and_options(arguments: list[str], incomplete: str, values: set[str]) -> None:
    completion = BashComplete(main, {}, "gogooku3", "_GOGOOKU3_COMPLETE")
    assert {item.value for item in completion.get_completions(arguments, incomplete)} == values
