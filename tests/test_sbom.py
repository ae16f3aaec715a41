"""`make sbom` lists every locked library with its version, and its hashes if the lock file has them."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
TOOL = "cyclonedx_py"
HASHES = {f"--hash=sha256:{digit * 64}" for digit in "ab"}

pytest.importorskip(TOOL)


def arguments() -> list[str]:
    """The arguments of the tool in the recipe, without the output file."""
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    (line,) = re.findall(r"^\t.* cyclonedx-py (.*)$", recipe, re.MULTILINE)
    *before, option, output = shlex.split(line)
    assert (option, output) == ("--output-file", "build/sbom.json")
    return before


def sbom(folder: Path) -> bytes:
    """The SBOM of a folder's lock file; a proxy that nobody serves stands for a missing network."""
    with socket.socket() as unserved:
        unserved.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{unserved.getsockname()[1]}"
        variables = os.environ | dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"), proxy)
        variables.pop("SOURCE_DATE_EPOCH", None)
        command = [sys.executable, "-m", TOOL, *arguments()]
        return subprocess.run(command, cwd=folder, env=variables, capture_output=True, check=True).stdout


def locked(folder: Path) -> dict[tuple[str, str], set[str]]:
    """The SHA-256 hashes of each library of a lock file, by name and version."""
    text = (folder / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ")
    return {
        (name, version): set(re.findall(r"--hash=sha256:(\w+)", rest))
        for name, version, rest in re.findall(r"^([^#=\s]+)==(\S+)(.*)$", text, re.MULTILINE)
    }


def listed(content: bytes) -> dict[tuple[str, str], set[str]]:
    """The same of an SBOM."""
    components: list[dict[str, Any]] = json.loads(content)["components"]
    return {
        (each["name"], each["version"]): {
            found["content"] for link in each["externalReferences"] for found in link.get("hashes", [])
        }
        for each in components
    }


def test_the_sbom_lists_every_locked_library() -> None:
    content = sbom(ROOT)
    assert listed(content) == locked(ROOT)
    document = json.loads(content)
    assert document["bomFormat"] == "CycloneDX"
    assert document["metadata"]["component"]["name"] == "gogooku3"
    assert "timestamp" not in document["metadata"]


@pytest.mark.slow
def test_the_sbom_has_the_hashes_of_a_lock_file_that_has_them(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    (tmp_path / "README.md").touch()
    lines = " \\\n    ".join(["numpy==2.4.6", *sorted(HASHES)])
    (tmp_path / "requirements.lock").write_text(f"# a comment\n{lines}\n")
    content = sbom(tmp_path)
    assert listed(content) == locked(tmp_path) == {("numpy", "2.4.6"): {"a" * 64, "b" * 64}}
    assert sbom(tmp_path) == content, "the same lock file gives the same bytes"
