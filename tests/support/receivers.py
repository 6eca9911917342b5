"""A mail server and webhooks on loopback, as strict as those that they stand for."""

from __future__ import annotations

import contextlib
import email
import email.policy
import json
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@contextlib.contextmanager
def _serving(server: socketserver.TCPServer) -> Iterator[int]:
    """Have a server answer, and yield its port."""
    with server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


@dataclass
class MailServer:
    """What arrived, and what is refused."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    # the answer to each recipient; None: it is taken
    refusal: str | None = None

    def connection(self, **extra: Any) -> str:
        """Return what AIRFLOW_CONN_… must say for it."""
        plain = {"disable_ssl": True, "disable_tls": True, "retry_limit": 0}
        people = {"from_email": "greenery@shop.example", "to": ["ada@shop.example"]}
        where = {"conn_type": "smtp", "host": "127.0.0.1", "port": self.port}
        return json.dumps({**where, "extra": {**plain, **people, **extra}})


@contextlib.contextmanager
def mail_server() -> Iterator[MailServer]:
    state = MailServer()

    class Session(socketserver.StreamRequestHandler):
        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def handle(self) -> None:
            self.say("220 here")
            while line := self.rfile.readline().decode().strip():
                verb = line.partition(" ")[0].upper()
                if verb == "RCPT" and state.refusal:
                    self.say(state.refusal)
                elif verb == "DATA":
                    self.say("354 go on")
                    lines = []
                    while (read := self.rfile.readline()) not in (b".\r\n", b""):
                        lines.append(read.removeprefix(b"."))
                    mail = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
                    assert isinstance(mail, EmailMessage)
                    state.mails.append(mail)
                    self.say("250 taken")
                elif verb == "QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 fine")

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
    server.daemon_threads = True
    with _serving(server) as state.port:
        yield state


@dataclass
class Webhooks:
    """What arrived by path, and how the next ones are answered."""

    port: int = 0
    taken: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    requests: int = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connection(self, form: str = "text", **extra: Any) -> str:
        """Return what AIRFLOW_CONN_… must say for the webhook of a form."""
        if form == "pagerduty":
            extra["url"] = f"{self.address}/pagerduty"
        password = "R" * 32 if form == "pagerduty" else f"{self.address}/{form}"
        extra = {"form": form, **extra}
        return json.dumps({"conn_type": "http", "password": password, "extra": extra})


def trouble_with(path: str, body: dict[str, Any]) -> str | None:
    """Return why the receiver at a path does not take a body."""
    match path:
        case "/text":
            text = body.get("text")
            good = set(body) == {"text"} and isinstance(text, str) and text
        case "/teams":
            (attachment,) = body["attachments"]
            card = attachment["content"]
            good = (
                body["type"] == "message"
                and attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
                and card["type"] == "AdaptiveCard"
                and all(one["type"] == "TextBlock" and one["text"] for one in card["body"])
                and all(one["type"] == "Action.OpenUrl" and one["url"] for one in card["actions"])
                and len(json.dumps(body)) <= 28 * 1024
            )
        case "/pagerduty":
            good = body["routing_key"] == "R" * 32 and 0 < len(body["dedup_key"]) <= 255
            if body["event_action"] == "trigger":
                payload = body["payload"]
                good = (
                    good
                    and 0 < len(payload["summary"]) <= 1024
                    and bool(payload["source"])
                    and payload["severity"] in ("critical", "error", "warning", "info")
                    and all(one["href"].startswith("http") for one in body["links"])
                )
            else:
                good = good and body["event_action"] in ("acknowledge", "resolve")
        case _:
            return f"nobody at {path}"
    return None if good else f"not of the form {path}"


@contextlib.contextmanager
def webhooks() -> Iterator[Webhooks]:
    state = Webhooks()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            state.requests += 1
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            is_json = self.headers["Content-Type"] == "application/json"
            trouble = trouble_with(self.path, body) if is_json else "no JSON"
            if not state.status and not trouble:
                state.taken.setdefault(self.path[1:], []).append(body)
            self.send_response(state.status or (400 if trouble else 202))
            for name, value in {**state.headers, "Content-Length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), Receiver)) as state.port:
        yield state
