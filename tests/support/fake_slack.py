"""A Slack that is as strict as the real one, on loopback: `python -m tests.support.fake_slack`.

It takes a bot's calls to `/api/<method>` and an incoming webhook's `POST /services/T0/B0/X`.
`GET /` shows the channels in a browser, `GET /messages` returns what they hold, `GET /requests`
what it was asked, `POST /behave {"mode": "slow", "seconds": 3}` changes how it behaves,
`DELETE /messages` forgets.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.slack_page import page
from tests.support.slack_workspace import TOKEN, Workspace

WEBHOOK = "T0/B0/X"
CHANNEL = "#data-alerts"
MODES = (
    "fine",
    "slow",
    "trickling",
    "rate_limited",
    # does what it was asked, and the answer is lost
    "drops_the_reply",
    # the connection is lost before anything is done
    "drops_the_request",
    "broken",
    "hates_blocks",
)


class FakeSlack(Workspace):
    """Runs in a thread. ``messages`` are what it shows: channel, text, blocks, attachments …"""

    def __init__(self, port: int = 0) -> None:
        super().__init__()
        self.requests: list[str] = []
        # modes of the next requests, one each; then `mode` again
        self.script: list[str] = []
        self.mode, self.seconds, self.times = "fine", 0.0, -1
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    def behave(self, mode: str = "fine", seconds: float = 0, times: int = -1) -> None:
        """Change how it behaves, for so many requests or (-1) until told otherwise.

        ``seconds``: of delay, or what Retry-After says.
        """
        if mode not in MODES:
            raise ValueError(f"no such mode: {mode}; there are {', '.join(MODES)}")
        self.mode, self.seconds, self.times = mode, seconds, times
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

    def bot_connection(self, token: str = TOKEN, channel: str = CHANNEL, **extra: Any) -> str:
        """Return what AIRFLOW_CONN_GREENERY_SLACK must say for a bot."""
        extra |= {"channel": channel, "base_url": f"http://127.0.0.1:{self.port}/api/"}
        return json.dumps({"conn_type": "slack", "password": token, "extra": extra})

    def webhook_connection(self, token: str = WEBHOOK) -> str:
        """Return what AIRFLOW_CONN_GREENERY_SLACK must say for an incoming webhook."""
        host = f"127.0.0.1:{self.port}/services"
        return json.dumps(
            {"conn_type": "slackwebhook", "schema": "http", "host": host, "password": token}
        )

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


def _handler(slack: FakeSlack) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            if path.startswith("/api/"):
                return self._slack(dict(parse_qsl(urlsplit(self.path).query)))
            if path == "/":
                names = {i: name for name, i in {**slack.users, **slack.groups}.items()}
                return self._answer(200, page(slack.everything, names), kind="text/html")
            pages = {"/messages": slack.everything, "/requests": slack.requests}
            return self._answer(200 if path in pages else 404, pages.get(path, {"ok": False}))

        def do_DELETE(self) -> None:
            slack.everything.clear()
            slack.requests.clear()
            self._answer(200, {"ok": True})

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = _parsed(self.rfile.read(length), self.headers.get("Content-Type", ""))
            if self.path == "/behave":
                slack.behave(**body)
                return self._answer(200, {"ok": True})
            query = dict(parse_qsl(urlsplit(self.path).query))
            return self._slack({**query, **body} if isinstance(body, dict) else body)

        def _slack(self, body: Any) -> None:
            path = urlsplit(self.path).path
            mode = slack.heard(path)
            if mode == "rate_limited":
                retry_after = {"Retry-After": f"{slack.seconds:g}"}
                return self._answer(429, {"ok": False, "error": "ratelimited"}, retry_after)
            if mode == "broken":
                return self._answer(503, "upstream connect error")
            if mode == "drops_the_request":
                return self.connection.close()
            if mode == "slow":
                time.sleep(slack.seconds)
            status, answer = self._do(path, body)
            if mode == "drops_the_reply":
                return self.connection.close()
            return self._answer(status, answer, slowly=mode == "trickling")

        def _do(self, path: str, body: Any) -> tuple[int, Any]:
            if path.startswith("/api/"):
                token = self.headers.get("Authorization", "").removeprefix("Bearer ")
                return 200, slack.call(path.removeprefix("/api/"), token, body)
            if path != f"/services/{WEBHOOK}":
                return 403, "invalid_token"
            error = slack.take_from_webhook(body)
            return (400, error) if error else (200, "ok")

        def _answer(
            self,
            status: int,
            answer: Any,
            headers: dict[str, str] | None = None,
            slowly: bool = False,
            kind: str = "text/plain",
        ) -> None:
            is_text = isinstance(answer, str)
            content = (answer if is_text else json.dumps(answer)).encode()
            with contextlib.suppress(OSError):  # who asked may have gone
                self.send_response(status)
                kind_of_text = f"{kind}; charset=utf-8"
                self.send_header("Content-Type", kind_of_text if is_text else "application/json")
                self.send_header("Content-Length", str(len(content)))
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.end_headers()
                for part in [bytes([byte]) for byte in content] if slowly else [content]:
                    if slowly:
                        time.sleep(slack.seconds)
                    self.wfile.write(part)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def _parsed(body: bytes, content_type: str) -> Any:
    """Return the body as slack_sdk sends it: JSON, or a form whose blocks are JSON."""
    try:
        if content_type.startswith("application/json"):
            return json.loads(body)
        form: dict[str, Any] = dict(parse_qsl(body.decode()))
        return form | ({"blocks": json.loads(form["blocks"])} if "blocks" in form else {})
    except ValueError:
        return None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8065)
    fake = FakeSlack(parser.parse_args().port)
    fake.serve()
    print(f"Slack on http://127.0.0.1:{fake.port}, open it in a browser")
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()
