"""Check of the default remote: errors are classified with a remedy."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gogooku3.recovery.doctor import remote as of_remote
from gogooku3.recovery.doctor.remote import reachable

from ..conftest import Toy
from .conftest import remote


class FixedAnswer(BaseHTTPRequestHandler):
    status = 401
    message = ""

    def do_GET(self) -> None:
        body = json.dumps({"error": {"code": self.status, "message": self.message}}).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Logs nothing."""


@pytest.fixture
def bucket_service() -> Iterator[Callable[[int, str], str]]:
    """Starts a bucket service that gives the same answer to every request; returns its URL."""
    servers = []

    def start(status: int, message: str) -> str:
        handler = type("One", (FixedAnswer,), {"status": status, "message": message})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe ends by itself when it has an answer, or after ten seconds without one."""
    monkeypatch.setattr(of_remote, "TIMEOUT", 120)


@pytest.mark.parametrize(
    ("status", "message", "meaning", "hint"),
    [
        (401, "Anonymous caller does not have storage.objects.list access", "(401)", "gcloud auth application-default"),
        (403, "x@y.iam does not have storage.objects.list access", "(403)", "ask the bucket's owner"),
        (403, "x@y.iam does not have storage.objects.list access", "(403)", "or use a bucket of your own"),
        (404, "The specified bucket does not exist.", "it does not exist", "create the bucket"),
    ],
)
def test_an_error_response_is_classified_with_a_remedy(
    clone: Toy, bucket_service: Callable[[int, str], str], status: int, message: str, meaning: str, hint: str
) -> None:
    remote(clone, url="gs://gone/store", endpointurl=bucket_service(status, message), allow_anonymous_login="true")
    finding = reachable(clone.folder)
    assert finding.outcome == "failed"
    assert meaning in finding.found
    assert "\n" not in finding.found
    assert hint in finding.hint
    assert "{" not in finding.hint


@pytest.mark.slow
def test_an_unresolvable_host_name_is_reported_as_such(clone: Toy) -> None:
    remote(clone, url="gs://gone/store", endpointurl="http://no-such-host.invalid", allow_anonymous_login="true")
    assert "its host's name cannot be resolved" in reachable(clone.folder).found


def test_a_host_that_never_answers_times_out(clone: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_remote, "TIMEOUT", 2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        remote(clone, url="gs://gone/store", endpointurl=address, allow_anonymous_login="true")
        finding = reachable(clone.folder)
    assert finding.outcome == "failed"
    assert "does not answer within" in finding.found


def test_a_missing_folder_and_a_missing_remote_are_reported(clone: Toy) -> None:
    remote(clone, url=f"{clone.folder}/nowhere")
    assert "it does not exist" in reachable(clone.folder).found
    (clone.folder / ".dvc/config").write_text("")
    assert "no default remote" in reachable(clone.folder).found
