"""Escape sequences in tags, parameters, paths, URLs, packages and answers of a server never reach the terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gogooku3.cli import main
from gogooku3.recovery.promote import promote
from gogooku3.recovery.releases import git, tag_objects, tags

from .faults.proxy import Proxy, always, between, error
from .lab import Lab

NASTY = "\x1b]8;;http://evil.invalid\x1b\\[link=x][red]ok\x9b2J\u202e\x07\u3164\u2800\ufe0f"
RAW = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2800\u3164\ufe0f]")


def safe(*verb: str, code: int | None = None) -> Result:
    """Runs a verb whose output must quote the hostile text, escaped."""
    done = CliRunner().invoke(main, verb)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert RAW.search(done.output) is None, ascii(done.output)
    assert code is None or done.exit_code == code, done.output
    return done


@pytest.fixture
def released(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    promote(lab.folder, "tier1")
    monkeypatch.chdir(lab.folder)
    return lab


def test_a_record_in_a_tag(released: Lab, tmp_path: Path) -> None:
    release = tags.find(released.folder, "tier1@v1.0.0")
    head, mark, record = release.tag.message.rpartition("\nrecord: ")
    content = json.loads(record)
    content["validation"]["rank_ic"] = {NASTY: next(iter(content["validation"]["rank_ic"].values()))}
    content["despite_worse"] = NASTY
    for split in ("validation", "test"):
        content[split]["basis"] = NASTY
    git.run(released.folder, "tag", "--delete", "tier1@v1.0.0")
    message = f"{NASTY}{head}{mark}{json.dumps(content)}\n"
    tag_objects.create_tags(
        released.folder,
        {"tier1@v1.0.0": tag_objects.new_object(released.folder, "tier1@v1.0.0", release.commit, message)},
    )
    safe("tiers", code=0)
    assert "evil.invalid" in safe("tiers", "--json", code=0).output
    safe("archive", "create", "tier1@v1.0.0", "--output", str(tmp_path / "t.tar"))
    if (tmp_path / "t.tar").exists():
        assert "evil.invalid" in safe("archive", "list", str(tmp_path / "t.tar")).output


def test_parameters(released: Lab) -> None:
    params = released.folder / "params.yaml"
    params.write_text(params.read_text() + f"{json.dumps(NASTY)}: {json.dumps(NASTY)}\n")
    for verb in (("diff", "HEAD"), ("diff", "HEAD", "--json")):
        assert "evil.invalid" in safe(*verb, code=0).output
    params.write_text(f"- {json.dumps(NASTY)}\n\x1b[31m")
    safe("diff", "HEAD", code=3)


def test_paths(released: Lab) -> None:
    for name in ("dvc.yaml", "dvc.lock"):
        file = released.folder / name
        quoted = json.dumps(f"models/package/{NASTY.replace('/', '')}.md")
        file.write_text(file.read_text().replace("models/package/README.md", quoted))
    for verb in (("audit",), ("audit", "--json"), ("locate", "models/package"), ("diff", "HEAD"), ("promote", "tier1")):
        safe(*verb)
    (released.folder / f"{NASTY.replace('/', '')}").write_text("untracked")
    safe("promote", "tier1", code=1)


def test_a_package(released: Lab) -> None:
    package = released.folder / "models/package"
    manifest = json.loads((package / "MANIFEST.json").read_text())
    (package / "MANIFEST.json").unlink()
    (package / "MANIFEST.json").write_text(json.dumps(manifest).replace("README.md", json.dumps(NASTY)[1:-1]))
    (package / NASTY.replace("/", "")).write_text("x")
    for name in ("config.json", "schema.json", "environment.json"):
        content = json.loads((package / name).read_text())
        (package / name).unlink()
        (package / name).write_text(json.dumps({NASTY: NASTY, **dict.fromkeys(content, NASTY)}))
    assert "evil.invalid" in safe("verify", code=1).output
    safe("verify", "--json", code=1)


def test_a_remote_and_its_name(released: Lab) -> None:
    config = released.folder / ".dvc/config.local"
    config.write_text(f"[core]\n    remote = {NASTY}\n['remote \"{NASTY}\"']\n    url = /nowhere/{NASTY}\n")
    for verb in (("audit",), ("locate", "models/package"), ("tiers", "--check"), ("promote", "tier1"), ("doctor",)):
        safe(*verb)


@pytest.fixture
def proxy(emulator: str) -> Iterator[Proxy]:
    with between(emulator) as running:
        yield running


def test_the_answer_of_a_server(pushed: Any, proxy: Proxy, bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (pushed.folder / ".dvc/config.local").unlink()
    pushed.point_at(type(bucket)(proxy.endpoint, bucket.name))
    proxy.faults = [always(error(403, NASTY))]
    monkeypatch.chdir(pushed.folder)
    done = safe("audit", code=7)
    assert "evil.invalid" in done.output
    assert len(done.output.splitlines()) == 2
