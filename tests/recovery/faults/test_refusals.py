"""An absent, silent or refusing bucket: the command ends with one line, which says how long it waited, and a hint."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fsspec.asyn import get_loop

from gogooku3.errors import StoreError
from gogooku3.recovery.promote import promote
from gogooku3.recovery.storage import store as stores
from gogooku3.recovery.storage.open import open_remote

from ..clock import GUARD_S, wait_until
from ..lab import Lab
from .conftest import Bucket, Toy
from .proxy import SILENCE, STALL_MIDWAY, Proxy, after, always, error

SOURCE = Path(__file__).parents[3] / "src"

AT_ONCE = {
    "404": (always(error(404, "The specified bucket does not exist.")), "does not exist"),
    "403": (always(error(403, "caller does not have storage.objects.list access")), "does not have storage.objects"),
    "401": (always(error(401, "Anonymous caller does not have access")), "Anonymous caller"),
}
IN_TIME = {
    "silent": (always(SILENCE), "no answer in 10 s"),
    "silent later": (after(2, SILENCE), "no answer in 1[67] s"),
    "expired": (always(error(401, "Invalid Credentials")), "Invalid Credentials"),
    "503": (always(error(503)), "Backend Error"),
    "503 later": (after(2, error(503)), "Backend Error"),
}
NOWHERE = {
    "refused": ("http://127.0.0.1:9", "Cannot connect to host 127.0.0.1:9"),
    "no such host": ("http://no-such-host.invalid", "Cannot connect to host no-such-host.invalid"),
}


def ends_with_one_line(folder: Path, *verb: str, **environment: str) -> str:
    """The error message of a command that ends with exit code 7, a hint, and no other output but `promote`'s steps."""
    command = [sys.executable, "-c", "from gogooku3.cli import main; main()", *verb]
    variables = os.environ | {"PYTHONPATH": str(SOURCE)} | environment
    done = subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, check=False, timeout=5 * GUARD_S
    )
    assert (done.returncode, done.stdout) == (7, ""), done.stderr
    lines = filter(str.strip, done.stderr.splitlines())
    problem, hint = (line.rstrip() for line in lines if not line.startswith("checking: "))
    assert problem.startswith("error: ")
    assert hint.startswith("hint: ")
    return problem


@pytest.mark.parametrize("kind", AT_ONCE)
def test_a_refusal_is_one_line(receiver: Toy, proxy: Proxy, kind: str) -> None:
    fault, words = AT_ONCE[kind]
    proxy.faults = [fault]
    assert re.search(words, ends_with_one_line(receiver.folder, "audit"))
    assert {request.attempt for request in proxy.requests} == {1}, "a refusal is final"


ASKED = {
    "look up": lambda store, oid, _: store.look_up([oid]),
    "read": lambda store, oid, _: store.read(oid),
    "digest": lambda store, oid, _: store.digest(oid),
    "put": lambda store, oid, file: store.put(oid, file),
}


@pytest.mark.parametrize(
    ("ask", "silence"),
    [*((ask, SILENCE) for ask in ASKED.values()), (ASKED["digest"], STALL_MIDWAY)],
    ids=[*ASKED, "digest, half an answer"],
)
def test_a_silent_bucket_ends_in_a_timeout(receiver, proxy, short_timeouts, monkeypatch, tmp_path, ask, silence):
    monkeypatch.setattr(stores, "TOTAL_TIMEOUT", 1)
    (tmp_path / "file").write_bytes(b"content")
    store = open_remote(receiver.folder)
    proxy.faults = [always(silence)]
    before, now = len(proxy.requests), time.monotonic()
    # Time passes when the client repeats a request, which it does after half a second without a byte.
    monkeypatch.setattr(
        store._requests, "_clock", lambda: now + 100 * sum(each.attempt > 1 for each in proxy.requests[before:])
    )
    with pytest.raises(StoreError, match=r"gives (no answer in|less than 1,024 bytes/s for) \d s: Timeout on"):
        ask(store, receiver.object_of("models/package/model.bin"), tmp_path / "file")
    wait_until(lambda: not asyncio.all_tasks(get_loop()))


@pytest.fixture(scope="module")
def released(trained: Lab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A test repository with a version in its local bucket, for `tiers --check`."""
    lab = trained.copy(tmp_path_factory.mktemp("released"))
    promote(lab.folder, "tier1")
    return lab


VERBS = pytest.mark.parametrize("verb", [("audit",), ("tiers", "--check"), ("promote", "tier1")], ids=lambda v: v[0])


@pytest.fixture
def asking(verb, trained, released, tmp_path, bucket):
    """Runs a command that accesses the bucket at an endpoint."""

    def ask(endpoint: str) -> str:
        lab = (released if verb[0] == "tiers" else trained).copy(tmp_path)
        (lab.folder / ".dvc/config.local").write_text(
            f"[core]\n    remote = far\n['remote \"far\"']\n    url = {bucket.url}\n"
            f"    endpointurl = {endpoint}\n    allow_anonymous_login = true\n"
        )
        return ends_with_one_line(lab.folder, *verb)

    return ask


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*AT_ONCE, *IN_TIME])
@VERBS
def test_every_verb_ends_with_one_line(asking, proxy, verb, kind):
    fault, words = (AT_ONCE | IN_TIME)[kind]
    proxy.faults = [fault]
    assert re.search(words, asking(proxy.endpoint))


@pytest.mark.slow
@pytest.mark.parametrize("kind", NOWHERE)
@VERBS
def test_every_verb_ends_if_nothing_listens(asking, verb, kind):
    endpoint, words = NOWHERE[kind]
    assert words in asking(endpoint)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never responds."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(50)
        yield listener.getsockname()[1]


@pytest.mark.slow
def test_no_credentials_anywhere_is_one_line(receiver: Toy, bucket: Bucket, tmp_path: Path, silent_port: int) -> None:
    settings = receiver.folder / ".dvc/config.local"
    settings.write_text(settings.read_text().replace("    allow_anonymous_login = true\n", ""))
    search = {"HOME": str(tmp_path), "GCE_METADATA_IP": f"127.0.0.1:{silent_port}"}
    said = ends_with_one_line(receiver.folder, "audit", **search)
    assert said == f"error: no credentials for `{bucket.url}` were found in 10 s"
