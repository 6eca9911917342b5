"""A dead-man switch on loopback, which can be slow and can refuse."""

from __future__ import annotations

import contextlib
import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = "5f1c0e4a-secret"


class Switch(ThreadingHTTPServer):
    """Notes what it is asked; answers with a status, at once, late, or byte by byte."""

    daemon_threads = True
    path = f"/{SECRET}"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        self.status, self.waits, self.trickles = 200, 0.0, False

    @property
    def connection(self) -> str:
        """What AIRFLOW_CONN_GREENERY_DEAD_MAN must say."""
        url = f"http://127.0.0.1:{self.server_port}{self.path}"
        return json.dumps({"conn_type": "generic", "password": url})


class _Handler(BaseHTTPRequestHandler):
    server: Switch

    def do_GET(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        time.sleep(self.server.waits)
        answer = f"HTTP/1.0 {self.server.status} So\r\nContent-Length: 0\r\n\r\n".encode()
        with contextlib.suppress(OSError):  # who asked may have gone
            for byte in answer:
                self.wfile.write(bytes([byte]))
                time.sleep(0.1 if self.server.trickles else 0)

    def log_message(self, *_: object) -> None:
        pass
