"""A Slack that is as strict as the real one, and misbehaves on request: `make slack`.

It takes a bot's calls to `/api/<method>` and an incoming webhook's `POST /services/T0/B0/X`.
`GET /` shows the channels in a browser, `GET /messages` returns what they hold, `GET /requests`
what it was asked, `POST /behave {"mode": "slow", "seconds": 3}` changes how it behaves,
`DELETE /messages` forgets. What it shows is kept in memory alone.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection, Iterator
from http.server import ThreadingHTTPServer
from typing import Any

from devtools.fake_slack.handler import MODES, handler
from devtools.fake_slack.workspace import Workspace
from elt.docker import environment
from elt.web import on_loopback

PORT = 8065


class FakeSlack(Workspace):
    """Runs in a thread. ``messages`` are what it shows: channel, text, blocks, attachments …"""

    def __init__(self, port: int = 0, host: str = "127.0.0.1", hosts: Collection[str] = ()) -> None:
        """``hosts``: by which names it may be called besides those of loopback."""
        super().__init__()
        self.requests: list[str] = []
        # modes of the next requests, one each; then `mode` again
        self.script: list[str] = []
        self.mode, self.seconds, self.times = "fine", 0.0, -1
        self._server = ThreadingHTTPServer((host, port), handler(self))
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.address = f"127.0.0.1:{self.port}"
        self.hosts = on_loopback(self.port) | {*hosts}
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    def behave(self, mode: str = "fine", seconds: float = 0, times: int = -1) -> None:
        """Change how it behaves, for so many requests or (-1) until told otherwise.

        Args:
            seconds: of delay, or what Retry-After says.

        Raises:
            ValueError: if there is no such mode.
        """
        if mode not in MODES:
            raise ValueError(f"no such mode: {mode}; there are {', '.join(MODES)}")
        self.mode, self.seconds, self.times = mode, float(seconds), int(times)
        self.hates_blocks = mode == "hates_blocks"

    def heard(self, path: str) -> str:
        """Note a request, and return the mode to answer it in."""
        self.requests.append(path)
        if self.script:
            return self.script.pop(0)
        if self.times == 0:
            self.behave()
        self.times -= 1
        return self.mode

    def bot_connection(self, *given: str, **more: Any) -> str:
        """Return what AIRFLOW_CONN_GREENERY_SLACK must say for a bot."""
        return environment.bot_connection(self.address, *given, **more)

    def webhook_connection(self, *given: str) -> str:
        """Return what AIRFLOW_CONN_GREENERY_SLACK must say for an incoming webhook."""
        return environment.webhook_connection(self.address, *given)

    def forget(self) -> None:
        """Empty all channels."""
        self.everything.clear()
        self.files.clear()
        self.requests.clear()

    def serve(self) -> None:
        self._thread.start()

    def go_down(self) -> None:
        """Stop listening: whoever comes now is refused the connection."""
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def running() -> Iterator[FakeSlack]:
    slack = FakeSlack()
    slack.serve()
    try:
        yield slack
    finally:
        slack.go_down()
