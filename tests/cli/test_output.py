"""Text that others wrote cannot control the terminal, in whatever a verb prints."""

from __future__ import annotations

import ast
import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from gogooku3.cli import main
from gogooku3.cli.output import console, echo, echo_json, one_line, prepare, printable
from gogooku3.errors import DataError

ROOT = Path(__file__).parents[2]

HOSTILE = {
    "escape": "\x1b[2J\x1b[1;32mverified\x1b[0m",
    "title": "\x1b]0;owned\x07",
    "link": "\x1b]8;;http://evil.invalid\x1b\\click\x1b]8;;\x1b\\",
    "return": "bad\rgood",
    "backspace": "bad\b\b\bgood",
    "bell": "\x07",
    "C1": "\x9b31m\x9d0;x\x9c\x85",
    "bidi": "\u202etxt.exe\u2066\u200f",
    "separators": "a\u2028b\u2029c",
    "delete": "\x7f",
    "bytes": os.fsdecode(b"caf\xe9"),
    "invisible": "\u200b\ufeff\U000e0041",
    "fillers": "a\u3164b\u115fc\u1160d\uffa0e\u2800f",
    "ignorable": "a\u034fb\u17b4\u17b5c\u180b\u180c\u180d\u180e\u180fd\u2065\ufff0\ufff8",
    "selectors": "a\ufe0fb\ufe00c\U000e0100d\U000e01ef\U000e0000\U000e0fff",
    "a filler with a selector": "a\u3164\ufe0f\u2800\ufe0f\ufe0f",
    "nul": "\x00\x0b\x0c",
}
RAW = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800"
    r"\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\ud800-\udfff\U000e0000-\U000e0fff]"
)


@pytest.mark.parametrize("kind", HOSTILE)
def test_every_printer_escapes(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = HOSTILE[kind]
    prepare()
    echo(text)
    echo(text, err=True, fg="red")
    echo_json({text: [text]})
    table = Table(text, "found", title=text, caption=text)
    table.add_row(text, Text(text, "bold red"))
    console().print(table)
    console().print(text, soft_wrap=True)
    console().print(Markdown(f"# {text}\n\n- [{text}](http://evil.invalid) `{text}`\n", hyperlinks=False))
    assert logging.lastResort is not None
    # Not through a logger: the report of pytest would contain the raw text, and cannot be sent between processes.
    logging.lastResort.handle(logging.LogRecord("somebody", logging.WARNING, "", 0, "%s", (text,), None))
    printed = capsys.readouterr()
    assert RAW.search(printed.out + printed.err) is None
    json.loads(printed.out[printed.out.index("{") : printed.out.index("\n}") + 2])


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("\x1b[31m", r"\x1b[31m"),
        ("\x9b", r"\x9b"),
        ("\u202e", r"\u202e"),
        ("\U000e0041", r"\U000e0041"),
        ("caf\udce9", r"caf\xe9"),
        ("日本語 – é → …\n\tend", "日本語 – é → …\n\tend"),
        ("　wide space", "　wide space"),
        ("トヨタ自動車（株）　ｶﾀｶﾅ ー ゛ が", "トヨタ自動車（株）　ｶﾀｶﾅ ー ゛ が"),
        ("か\u3099", "か\u3099"),
        ("葛\U000e0100城、﨑\ufe00、\u26a0\ufe0f\u2764\ufe0e", "葛\U000e0100城、﨑\ufe00、\u26a0\ufe0f\u2764\ufe0e"),
        ("葛\U000e0100\U000e0101\U000e0102", "葛\U000e0100" r"\U000e0101\U000e0102"),
        ("demo\ufe0f", r"demo\ufe0f"),
        ("caf\u00e9\ufe0f", "caf\u00e9" r"\ufe0f"),
        ("demo\u3164\ufe0f", r"demo\u3164\ufe0f"),
        ("a\u2800b", r"a\u2800b"),
        ("\udce9\ufe0f", r"\xe9\ufe0f"),
    ],
)
def test_printable(text: str, escaped: str) -> None:
    assert printable(text) == escaped


def test_one_line() -> None:
    assert one_line("failed\nverified: this is\r\n the model") == "failed verified: this is the model"


@pytest.mark.parametrize("text", ["[link=http://evil.invalid]x[/link]", "[red]x[/red]", "[/]", "[bold", ":smile:"])
def test_brackets_are_no_markup(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(text, title=text)
    table.add_row(text)
    console(force_terminal=True, width=200).print(table)
    console(force_terminal=True, width=200).print(text)
    printed = capsys.readouterr().out
    assert printed.count(text) == 4
    assert "\x1b]8" not in printed


def test_own_styles_are_kept_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    console(force_terminal=True, color_system="standard").print(Text("\x1b[0mbad", "bold red"))
    assert capsys.readouterr().out == "\x1b[1;31m\\x1b[0mbad\x1b[0m\n"


def test_a_message_of_several_lines_cannot_pass_for_another_line(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def fake() -> None:
        raise DataError("no\nverified: this is the model\x1b[0m", hint="see\nhint: other")

    monkeypatch.setitem(main.commands, "tiers", fake)
    done = CliRunner().invoke(main, ["tiers"])
    assert done.exit_code == 3
    assert done.output == "error: no\n  verified: this is the model\\x1b[0m\nhint: see\n  hint: other\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["\x1b[31mverb"],
        ["verify", "x\x1b[31m\u202e"],
        ["archive", "list", "a\r\x9bb.tar"],
        ["archive", "restore", "a\x1b.tar", "--to", "x"],
        ["archive", "\x1b"],
        ["recover", "tier\x1b", "--from", "no\x1b\u202esuch", "--to", "x"],
        ["recover", "tier", "--from", "x", "--to", "x", "--settings", "no\x1b"],
        ["tiers", "--\x1b"],
        ["doctor", "--for", "\x9b"],
    ],
    ids=lambda words: ascii(words[0]),
)
def test_arguments_are_escaped(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, arguments)
    assert isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code
    assert RAW.search(done.output) is None, ascii(done.output)
    assert "\\" in done.output


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "euc_jp"])
def test_a_stream_prints_what_its_encoding_lacks_as_escapes(encoding: str) -> None:
    program = (
        "from gogooku3.cli.output import *\nfrom rich.table import Table\nprepare()\n"
        "table = Table('–'); table.add_row('…'); console().print(table); echo('→ é 日'); echo_json({'é日': '\x9b'})"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b'"\\u00e9\\u65e5": "\\u009b"' in done.stdout


def test_verbs_print_only_through_this_module() -> None:
    for file in sorted((ROOT / "src/gogooku3/cli").glob("*.py")):
        if file.name == "output.py":
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            assert called not in ("click.echo", "click.secho", "Console", "print"), (file.name, called)
