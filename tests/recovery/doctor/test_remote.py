"""What the default remote answers, and why it does not."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gogooku3.recovery.doctor import remote as of_remote
from gogooku3.recovery.doctor.remote import reachable

from ..conftest import Toy
from .conftest import remote


class Answer(BaseHTTPRequestHandler):
    status = 401
    says = ""

    def do_GET(self) -> None:
        body = json.dumps({"error": {"code": self.status, "message": self.says}}).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Says nothing."""


@pytest.fixture
def answering() -> Iterator[Callable[[int, str], str]]:
    """Starts a bucket's service that has one answer to everything; returns its address."""
    servers = []

    def start(status: int, says: str) -> str:
        handler = type("One", (Answer,), {"status": status, "says": says})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "says", "told", "hint"),
    [
        (401, "Anonymous caller does not have storage.objects.list access", "(401)", "gcloud auth application-default"),
        (403, "x@y.iam does not have storage.objects.list access", "(403)", "ask the bucket's owner"),
        (403, "x@y.iam does not have storage.objects.list access", "(403)", "or use a bucket of your own"),
        (404, "The specified bucket does not exist.", "it does not exist", "create the bucket"),
    ],
)
def test_a_refusal_says_which_and_what_to_do(
    clone: Toy, answering: Callable[[int, str], str], status: int, says: str, told: str, hint: str
) -> None:
    remote(clone, url="gs://gone/store", endpointurl=answering(status, says), allow_anonymous_login="true")
    finding = reachable(clone.folder)
    assert finding.outcome == "failed"
    assert told in finding.found
    assert "\n" not in finding.found
    assert hint in finding.hint
    assert "{" not in finding.hint


def test_a_name_that_nobody_knows_is_told_from_a_host_that_refuses(clone: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_remote, "PATIENCE", 4)
    remote(clone, url="gs://gone/store", endpointurl="http://no-such-host.invalid", allow_anonymous_login="true")
    assert "its host's name cannot be resolved" in reachable(clone.folder).found


def test_a_host_that_never_answers_is_given_up(clone: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_remote, "PATIENCE", 4)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        remote(clone, url="gs://gone/store", endpointurl=address, allow_anonymous_login="true")
        started = time.monotonic()
        finding = reachable(clone.folder)
    assert time.monotonic() - started < 6
    assert finding.outcome == "failed"
    assert "gives no answer" in finding.found


def test_a_folder_that_is_gone_and_no_remote_at_all(clone: Toy) -> None:
    remote(clone, url=f"{clone.folder}/nowhere")
    assert "it does not exist" in reachable(clone.folder).found
    (clone.folder / ".dvc/config").write_text("")
    assert "no default remote" in reachable(clone.folder).found
