"""A Slack that is as strict as the real one, on loopback: `python -m tests.support.fake_slack`.

It takes a bot's `POST /api/chat.postMessage` and an incoming webhook's `POST /services/T0/B0/X`.
`GET /messages` returns what it took, `GET /requests` how often it was asked,
`POST /behave {"mode": "slow", "seconds": 3}` changes how it behaves, `DELETE /messages` forgets.
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
from urllib.parse import parse_qsl

from tests.support import slack_rules

TOKEN = "xoxb-fake-token"
WEBHOOK = "T0/B0/X"
CHANNEL = "#data-alerts"
MODES = ("fine", "slow", "trickling", "rate_limited", "drops_the_reply", "broken", "hates_blocks")


class FakeSlack:
    """Runs in a thread. ``messages`` are those it took: path, channel, text, blocks."""

    def __init__(self, port: int = 0) -> None:
        self.messages: list[dict[str, Any]] = []
        self.requests: list[str] = []
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

    def heard(self, path: str) -> None:
        self.requests.append(path)
        if self.times == 0:
            self.behave()
        self.times -= 1

    def bot_connection(self, token: str = TOKEN, channel: str = CHANNEL) -> str:
        """Return what AIRFLOW_CONN_GREENERY_SLACK must say for a bot."""
        extra = {"channel": channel, "base_url": f"http://127.0.0.1:{self.port}/api/"}
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
            pages = {"/messages": slack.messages, "/requests": slack.requests}
            found = self.path in pages
            self._answer(200 if found else 404, pages.get(self.path, {"error": "not_found"}))

        def do_DELETE(self) -> None:
            slack.messages.clear()
            slack.requests.clear()
            self._answer(200, {"ok": True})

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = _parsed(self.rfile.read(length), self.headers.get("Content-Type", ""))
            if self.path == "/behave":
                slack.behave(**body)
                return self._answer(200, {"ok": True})
            slack.heard(self.path)
            if slack.mode == "rate_limited":
                retry_after = {"Retry-After": f"{slack.seconds:g}"}
                return self._answer(429, {"ok": False, "error": "ratelimited"}, retry_after)
            if slack.mode == "broken":
                return self._answer(503, "upstream connect error")
            if slack.mode == "slow":
                time.sleep(slack.seconds)
            if self.path.startswith("/services/"):
                status, answer = self._webhook(body)
            else:
                status, answer = self._api(body)
            if slack.mode == "drops_the_reply":
                return self.connection.close()
            return self._answer(status, answer)

        def _api(self, body: Any) -> tuple[int, dict[str, Any]]:
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            if not token:
                return 200, {"ok": False, "error": "not_authed"}
            if token != TOKEN:
                return 200, {"ok": False, "error": "invalid_auth"}
            if self.path == "/api/auth.test":
                return 200, {"ok": True, "team_id": "T0", "user_id": "U0", "bot_id": "B0"}
            if self.path != "/api/chat.postMessage":
                return 200, {"ok": False, "error": "unknown_method"}
            if not isinstance(body, dict) or body.get("channel") not in (CHANNEL, "C0"):
                return 200, {"ok": False, "error": "channel_not_found"}
            if error := self._take(body, body["channel"]):
                return 200, {"ok": False, "error": error}
            ts = f"{time.time():.6f}"
            return 200, {"ok": True, "channel": "C0", "ts": ts, "message": {"text": body["text"]}}

        def _webhook(self, body: Any) -> tuple[int, str]:
            if self.path != f"/services/{WEBHOOK}":
                return 403, "invalid_token"
            error = self._take(body, None)
            return (400, error) if error else (200, "ok")

        def _take(self, body: Any, channel: str | None) -> str | None:
            error = slack_rules.problem(body)
            if not error and slack.mode == "hates_blocks" and body.get("blocks"):
                error = "invalid_blocks"
            if not error:
                kept = {key: body.get(key) for key in ("text", "blocks")}
                slack.messages.append({"path": self.path, "channel": channel, **kept})
            return error

        def _answer(self, status: int, answer: Any, headers: dict[str, str] | None = None) -> None:
            is_text = isinstance(answer, str)
            content = (answer if is_text else json.dumps(answer)).encode()
            with contextlib.suppress(OSError):  # who asked may have gone
                self.send_response(status)
                self.send_header("Content-Type", "text/plain" if is_text else "application/json")
                self.send_header("Content-Length", str(len(content)))
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.end_headers()
                for byte in content if slack.mode == "trickling" else [content]:
                    if isinstance(byte, int):
                        time.sleep(slack.seconds)
                    self.wfile.write(bytes([byte]) if isinstance(byte, int) else byte)

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
    print(f"Slack on http://127.0.0.1:{fake.port}, what it took is at /messages")
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()
