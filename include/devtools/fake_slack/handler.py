"""The fake Slack's HTTP: the Web API, the webhook, the page, and the controls."""

from __future__ import annotations

import contextlib
import json
import time
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from devtools.fake_slack.page import page
from elt.docker.environment import FAKE_WEBHOOK
from elt.web import refusal

if TYPE_CHECKING:
    from devtools.fake_slack.server import FakeSlack

# how it may behave, in words for people
MODES = {
    "fine": "takes everything that Slack would take",
    "slow": "answers late",
    "trickling": "answers byte by byte",
    "rate_limited": "429, with Retry-After",
    "drops_the_reply": "does what it was asked, and the answer is lost",
    "drops_the_request": "the connection is lost before anything is done",
    "broken": "503",
    "hates_blocks": "refuses blocks, takes plain text",
    "knows_no_token": "refuses every token",
}


def handler(slack: FakeSlack) -> type[BaseHTTPRequestHandler]:
    """Return the class that answers in a Slack's name."""

    class Handler(BaseHTTPRequestHandler):
        def parse_request(self) -> bool:
            """Refuse what is asked under a name of somebody else's, by whatever method."""
            if not super().parse_request():
                return False
            hosts, origins = self.headers.get_all("Host", []), self.headers.get_all("Origin", [])
            refused = refusal(hosts, origins, slack.hosts)
            if refused:
                self._answer(*refused)
            return refused is None

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            if path.startswith("/api/"):
                return self._slack(dict(parse_qsl(urlsplit(self.path).query)))
            if path == "/":
                names = {i: name for name, i in {**slack.users, **slack.groups}.items()}
                shown = page(slack.everything, names, MODES, slack.mode)
                return self._answer(200, shown, kind="text/html")
            if path.startswith("/files/"):
                file = slack.files.get(path.rpartition("/")[2])
                if file and file.is_shown and file.content:
                    return self._answer(200, file.content, kind="image/png")
            pages = {"/messages": slack.everything, "/requests": slack.requests}
            return self._answer(200 if path in pages else 404, pages.get(path, {"ok": False}))

        def do_DELETE(self) -> None:
            slack.forget()
            self._answer(200, {"ok": True})

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            kind, content = self.headers.get("Content-Type", ""), self.rfile.read(length)
            if self.path.startswith("/upload/v1/"):
                slack.heard("/upload/v1")
                error = slack.take_file(self.path.rpartition("/")[2], content)
                return self._answer(400 if error else 200, error or f"OK - {len(content)}")
            body = _parsed(content, kind)
            path, query = urlsplit(self.path).path, dict(parse_qsl(urlsplit(self.path).query))
            if path in ("/behave", "/forget"):
                return self._control(path, body, from_page="form" in kind)
            return self._slack({**query, **body} if isinstance(body, dict) else body)

        def _control(self, path: str, body: Any, *, from_page: bool) -> None:
            try:
                slack.forget() if path == "/forget" else slack.behave(**body)
            except (TypeError, ValueError) as error:
                return self._answer(400, {"ok": False, "error": str(error)})
            if from_page:
                return self._answer(303, "", {"Location": "/"})
            return self._answer(200, {"ok": True})

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
            status, answer = self._do(path, body, refuses=mode == "knows_no_token")
            if mode == "drops_the_reply":
                return self.connection.close()
            return self._answer(status, answer, slowly=mode == "trickling")

        def _do(self, path: str, body: Any, *, refuses: bool) -> tuple[int, Any]:
            if path.startswith("/api/"):
                token = self.headers.get("Authorization", "").removeprefix("Bearer ")
                token = "refused" if refuses else token
                return 200, slack.call(path.removeprefix("/api/"), token, body)
            if refuses or path != f"/services/{FAKE_WEBHOOK}":
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
            is_text = isinstance(answer, str | bytes)
            content = answer if is_text else json.dumps(answer)
            content = content.encode() if isinstance(content, str) else content
            with contextlib.suppress(OSError):  # who asked may have gone
                self.send_response(status)
                kind_of_text = kind if isinstance(answer, bytes) else f"{kind}; charset=utf-8"
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
