"""An app on the user's machine, which waits for its code on loopback (RFC 8252 §7.3)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Catcher:
    """`page` is what it shows at all other addresses."""

    port: int
    caught: list[str] = field(default_factory=list)
    page: str = ""


@contextmanager
def catcher() -> Iterator[Catcher]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/callback"):
                caught.caught.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            shown = "<title>Caught</title>Back in the app"
            if not self.path.startswith("/callback"):
                shown = f"<title>Elsewhere</title>{caught.page}"
            self.wfile.write(shown.encode())

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    caught = Catcher(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield caught
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
