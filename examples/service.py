"""A web service with the standard library: `GET /scores` answers the scores of the newest session as JSON.

    python examples/service.py models/package params.yaml data/quotes 8000

A session is scored once, when its bars are new; every later answer comes from memory.
"""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import gogooku3


class Scores:
    """The scores of a folder of quotes, computed again when its bars change."""

    def __init__(self, model: gogooku3.Model, quotes: Path, state: Path) -> None:
        self.model, self.quotes, self.state = model, quotes, state
        self._lock = threading.Lock()
        self._version: tuple[int, int] | None = None
        self._answer = b""

    def answer(self) -> bytes:
        """The newest session as JSON."""
        with self._lock:
            stat = (self.quotes / "bars.parquet").stat()
            version = (stat.st_mtime_ns, stat.st_size)
            if version != self._version:
                frame = self.model.score(self.quotes, state=self.state)
                rows = [{**row, "Date": str(row["Date"])} for row in frame.to_dicts()]
                self._answer, self._version = json.dumps(rows).encode(), version
            return self._answer


def server(scores: Scores, port: int) -> ThreadingHTTPServer:
    """A server on this machine; `serve_forever` runs it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = scores.answer() if self.path == "/scores" else b"{}"
            self.send_response(200 if self.path == "/scores" else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            """Logs nothing."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


if __name__ == "__main__":
    package, params, quotes = map(Path, sys.argv[1:4])
    scores = Scores(gogooku3.load(package, params=params), quotes, Path(".score-state"))
    server(scores, int(sys.argv[4])).serve_forever()
