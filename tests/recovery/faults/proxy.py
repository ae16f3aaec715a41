"""A fault injection proxy between a bucket's client and the bucket.

A fault maps each request to an `Effect` or None; the first fault with an effect applies.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import struct
import threading
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Request:
    """A request: `number` counts all requests from 1, `attempt` the attempts at the same request."""

    number: int
    attempt: int
    method: str
    path: str
    body: bytes = b""

    @property
    def lists(self) -> bool:
        """Whether it lists objects."""
        return self.method == "GET" and bool(re.fullmatch(r"/storage/v1/b/[^/]+/o", self.path.partition("?")[0]))

    @property
    def downloads(self) -> bool:
        """Whether it downloads an object."""
        return self.path.startswith("/download/")

    @property
    def uploads(self) -> bool:
        """Whether it uploads an object."""
        return self.path.startswith("/upload/")


@dataclass(frozen=True)
class Effect:
    """The effect of a fault on a request; `sent` is the fraction of the response body sent before the rest happens."""

    status: int | None = None
    message: str = "Backend Error"
    sent: float = 1.0
    then: str = "nothing"
    """`close` or `reset` the connection after the sent part, or `stall`."""
    stall: float | None = None
    """Seconds before the response continues; None is forever."""
    pace: tuple[int, float] | None = None
    """Bytes of the response's body that are sent at a time, and the seconds between."""
    flip: str = "nothing"
    """One byte of the `answer`'s or of the `request`'s body is changed."""


def error(status: int, message: str = "Backend Error") -> Effect:
    """A response instead of the bucket's."""
    return Effect(status, message)


RESET = Effect(sent=0, then="reset")
RESET_MIDWAY = Effect(sent=0.5, then="reset")
TRUNCATED = Effect(sent=0.5, then="close")
SILENCE = Effect(sent=0, then="stall")
STALL_MIDWAY = Effect(sent=0.5, then="stall")

Fault = Callable[[Request], Effect | None]


def every(nth: int, effect: Effect) -> Fault:
    """Every n-th request."""
    return lambda request: effect if request.number % nth == 0 else None


def always(effect: Effect, which: Callable[[Request], bool] = lambda request: True) -> Fault:
    """Every request of a kind."""
    return lambda request: effect if which(request) else None


def first(effect: Effect, which: Callable[[Request], bool] = lambda request: True) -> Fault:
    """The first attempt at each request of a kind."""
    return lambda request: effect if which(request) and request.attempt == 1 else None


def after(count: int, effect: Effect) -> Fault:
    """Every request after the first `count`."""
    return lambda request: effect if request.number > count else None


@dataclass
class Proxy:
    """A running proxy: its address, its requests so far, and its faults."""

    endpoint: str
    requests: list[Request] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    befallen: int = 0
    pause: Callable[[float], None] | None = None
    """Takes the place of waiting for some seconds."""
    page: int | None = None
    """Names in a page of a listing; the emulator itself knows no pages."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _attempts: Counter[tuple[str, str, bytes]] = field(default_factory=Counter)
    _ended: threading.Event = field(default_factory=threading.Event)

    def effect(self, method: str, path: str, body: bytes) -> Effect | None:
        """Counts a request and returns its effect."""
        with self._lock:
            self._attempts[method, path, body] += 1
            request = Request(len(self.requests) + 1, self._attempts[method, path, body], method, path, body)
            self.requests.append(request)
            decided = next((effect for fault in self.faults if (effect := fault(request))), None)
            self.befallen += decided is not None
            return decided

    def wait(self, seconds: float | None) -> None:
        """Waits, at most until the proxy ends."""
        if self.pause is not None and seconds is not None:
            self.pause(seconds)
        else:
            self._ended.wait(seconds)

    def end(self) -> None:
        """Ends all waits."""
        self._ended.set()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
        self.close_request(request)  # no orderly shutdown, so that a reset is a reset

    def handle_error(self, *_: object) -> None:
        """Ignores clients that disconnect."""


@contextmanager
def between(upstream: str) -> Iterator[Proxy]:
    """Context manager for a proxy to a server."""
    target = urllib.parse.urlsplit(upstream).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            effect = proxy.effect(self.command, self.path, body) or Effect()
            if effect.status is not None:
                said = {"error": {"code": effect.status, "message": effect.message}}
                self._answer(effect, effect.status, {"Content-Type": "application/json"}, json.dumps(said).encode())
                return
            if effect.flip == "request" and body:
                body = _flipped(body)
            status, headers, content = self._ask(body)
            self._answer(effect, status, headers, _flipped(content) if effect.flip == "answer" else content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _pass_on

        def _ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
            """The bucket's own response; its URLs contain this proxy's address."""
            lists = Request(0, 0, self.command, self.path).lists and proxy.page
            path, token = _without_token(self.path) if lists else (self.path, 0)
            connection = http.client.HTTPConnection(target)
            try:
                connection.request(self.command, path, body, dict(self.headers))
                answer = connection.getresponse()
                content = answer.read()
            finally:
                connection.close()
            if lists and answer.status == 200:
                content = _page(content, token, proxy.page)
            hop = {"connection", "transfer-encoding", "content-length", "server", "date"}
            return answer.status, {k: v for k, v in answer.getheaders() if k.lower() not in hop}, content

        def _answer(self, effect: Effect, status: int, headers: dict[str, str], content: bytes) -> None:
            if effect.then == "nothing" and effect.stall:
                proxy.wait(effect.stall)
            if effect.sent > 0:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self._send(content[: int(len(content) * effect.sent)], effect.pace or (len(content) + 1, 0))
            if effect.then == "nothing":
                return
            self.close_connection = True
            if effect.then == "stall":
                proxy.wait(effect.stall)
            elif effect.then == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        def _send(self, content: bytes, pace: tuple[int, float]) -> None:
            size, seconds = pace
            for begin in range(0, len(content), size):
                self.wfile.write(content[begin : begin + size])
                self.wfile.flush()
                if begin + size < len(content):
                    proxy.wait(seconds)

        def log_message(self, *_: object) -> None:
            pass

    with _Server(("127.0.0.1", 0), Handler) as server:
        proxy = Proxy(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield proxy
        finally:
            proxy.end()
            server.shutdown()
            thread.join()


def _flipped(content: bytes) -> bytes:
    """Flips one bit: near the end of a part of a multipart body, well inside the object."""
    place = max(0, len(content) - 30)
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :] if content else content


def _without_token(path: str) -> tuple[str, int]:
    """A listing's URL without its page token, and the token."""
    base, _, query = path.partition("?")
    asked = dict(urllib.parse.parse_qsl(query))
    token = int(asked.pop("pageToken", 0))
    return f"{base}?{urllib.parse.urlencode(asked)}", token


def _page(content: bytes, begin: int, size: int) -> bytes:
    listing = json.loads(content)
    items = listing.get("items", [])
    listing["items"] = items[begin : begin + size]
    if begin + size < len(items):
        listing["nextPageToken"] = str(begin + size)
    return json.dumps(listing).encode()
