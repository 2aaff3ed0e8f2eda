"""A Zipkin at the network's edge: keeps what is posted to it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Collector:
    def __init__(self) -> None:
        self.raw = b""
        self.spans: list[dict[str, Any]] = []
        self.address = ""

    def named(self, name: str) -> dict[str, Any]:
        return next(span for span in self.spans if span["name"] == name)


@contextmanager
def collecting() -> Iterator[Collector]:
    """Serve on a free port of loopback while the block runs."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.raw += body
            collector.spans += json.loads(body)
            self.send_response(202)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    collector.address = f"http://127.0.0.1:{server.server_port}/api/v2/spans"
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
