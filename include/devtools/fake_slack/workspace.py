"""What a Slack workspace remembers, and the Web API's methods on it, as strict as the real ones."""

from __future__ import annotations

import itertools
import json
import threading
import time
from dataclasses import dataclass
from typing import Any

from devtools.fake_slack import rules
from elt.docker.environment import FAKE_TOKEN

PAGE = 100
Answer = dict[str, Any]


@dataclass
class Upload:
    """A file: announced, then sent, then shown."""

    name: str
    length: int
    content: bytes | None = None
    is_shown: bool = False


class Workspace:
    """Channels with their messages. Safe to be used by several threads."""

    def __init__(self) -> None:
        self.channels = {
            "#data-alerts": "C0DATAALERTS",
            "#data-warnings": "C0WARNINGS",
            "#analytics-core": "C0CORE000",
        }
        # known to the bot, which is in all the others
        self.without_bot = {"#elsewhere": "C0ELSEWHERE"}
        self.users = {"jane@greenery.example": "U0JANE000"}
        self.groups = {"analytics-core": "S0CORE000"}
        self.everything: list[dict[str, Any]] = []
        # seconds since 1970; a test may move it
        self.clock = time.time
        self.page = PAGE
        # scopes that the app was not given
        self.missing_scopes: set[str] = set()
        self.hates_blocks = False
        # where this Slack is, for what it wants uploaded
        self.address = ""
        self.files: dict[str, Upload] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages of all channels as they are shown now, threads not opened."""
        return [message for message in self.everything if not message["thread_ts"]]

    @property
    def replies(self) -> list[dict[str, Any]]:
        return [message for message in self.everything if message["thread_ts"]]

    def call(self, method: str, token: str, body: dict[str, Any] | None) -> Answer:
        """Return Slack's answer to a call of the Web API."""
        if not token:
            return _no("not_authed")
        if token != FAKE_TOKEN:
            return _no("invalid_auth")
        handler = self._methods.get(method)
        if handler is None:
            return _no("unknown_method")
        if not isinstance(body, dict):
            return _no("invalid_json")
        with self._lock:
            return handler(self, body)

    def take_from_webhook(self, body: Any) -> str | None:
        """Keep a webhook's message, or return why not."""
        with self._lock:
            error = self._problem(body)
            if not error:
                self._keep(body, None)
            return error

    def take_file(self, file_id: str, content: bytes) -> str | None:
        """Keep what was announced as a file, or return why not."""
        with self._lock:
            file = self.files.get(file_id)
            if file is None or file.content is not None:
                return "no such upload"
            if len(content) != file.length:
                return "not as long as was said"
            file.content = content
            return None

    def _problem(self, body: Any) -> str | None:
        error = rules.problem(body)
        if not error and self.hates_blocks and (body.get("blocks") or body.get("attachments")):
            return "invalid_blocks"
        return error

    def _keep(self, body: dict[str, Any], channel: str | None) -> dict[str, Any]:
        message = {
            "channel": channel,
            "ts": f"{self.clock():.0f}.{next(self._numbers):06d}",
            "thread_ts": body.get("thread_ts"),
            "metadata": body.get("metadata"),
            "edits": 0,
            **{key: body.get(key) or None for key in ("text", "blocks", "attachments")},
        }
        self.everything.append(message)
        return message

    def _channel(self, named: Any) -> tuple[str | None, str | None]:
        """Return a channel's name, or why nothing can be written there."""
        for name, channel_id in self.without_bot.items():
            if named in (name, channel_id):
                return None, "not_in_channel"
        for name, channel_id in self.channels.items():
            if named in (name, channel_id):
                return name, None
        return None, "channel_not_found"

    def _find(self, channel: str | None, ts: Any) -> dict[str, Any] | None:
        for message in self.everything:
            if (message["channel"], message["ts"]) == (channel, ts):
                return message
        return None

    def _post(self, body: dict[str, Any]) -> Answer:
        channel, error = self._channel(body.get("channel"))
        error = error or self._problem(body)
        if not error and body.get("thread_ts") and not self._find(channel, body["thread_ts"]):
            error = "thread_not_found"
        if error:
            return _no(error)
        message = self._keep(body, channel)
        return {"ok": True, "channel": self.channels[channel], "ts": message["ts"]}

    def _update(self, body: dict[str, Any]) -> Answer:
        # unlike posting, this wants an id
        if body.get("channel") in self.channels:
            return _no("channel_not_found")
        channel, error = self._channel(body.get("channel"))
        error = error or self._problem(body)
        message = self._find(channel, body.get("ts"))
        if error or not message:
            return _no(error or "message_not_found")
        message |= {key: body.get(key) or None for key in ("text", "blocks", "attachments")}
        message |= {"edits": message["edits"] + 1}
        if "metadata" in body:
            message["metadata"] = body["metadata"]
        return {"ok": True, "channel": self.channels[channel], "ts": message["ts"]}

    def _history(self, body: dict[str, Any]) -> Answer:
        channel, error = self._channel(body.get("channel"))
        if "channels:history" in self.missing_scopes:
            error = "missing_scope"
        if error or body["channel"] in self.channels:
            return _no(error or "channel_not_found")
        oldest = float(body.get("oldest") or 0)
        thread = body.get("ts")
        found = [
            message
            for message in self.everything
            if message["channel"] == channel
            and float(message["ts"]) >= oldest
            and (message["thread_ts"] == thread or (thread and message["ts"] == thread))
        ]
        # a thread is told from its beginning, a channel from its end
        return self._paged(found if thread else found[::-1], body)

    def _paged(self, found: list[dict[str, Any]], body: dict[str, Any]) -> Answer:
        start = int(body.get("cursor") or 0)
        size = min(int(body.get("limit") or 100), self.page)
        page = [dict(message) for message in found[start : start + size]]
        if str(body.get("include_all_metadata")).lower() != "true":
            for message in page:
                message.pop("metadata")
        more = str(start + size) if start + size < len(found) else ""
        return {"ok": True, "messages": page, "response_metadata": {"next_cursor": more}}

    def _list(self, _: dict[str, Any]) -> Answer:
        if "channels:read" in self.missing_scopes:
            return _no("missing_scope")
        known = {**self.channels, **self.without_bot}
        listed = [{"id": i, "name": name.lstrip("#")} for name, i in known.items()]
        return {"ok": True, "channels": listed}

    def _user(self, body: dict[str, Any]) -> Answer:
        if "users:read.email" in self.missing_scopes:
            return _no("missing_scope")
        user = self.users.get(str(body.get("email")))
        return {"ok": True, "user": {"id": user}} if user else _no("users_not_found")

    def _groups(self, _: dict[str, Any]) -> Answer:
        groups = [{"id": i, "handle": handle} for handle, i in self.groups.items()]
        return {"ok": True, "usergroups": groups}

    def _announce(self, body: dict[str, Any]) -> Answer:
        if "files:write" in self.missing_scopes:
            return _no("missing_scope")
        name, length = body.get("filename"), str(body.get("length", ""))
        if not name or not length.isdigit() or int(length) == 0:
            return _no("invalid_arguments")
        file_id = f"F0{next(self._numbers):06d}"
        self.files[file_id] = Upload(str(name), int(length))
        url = f"http://{self.address}/upload/v1/{file_id}"
        return {"ok": True, "upload_url": url, "file_id": file_id}

    def _show_files(self, body: dict[str, Any]) -> Answer:
        if "files:write" in self.missing_scopes:
            return _no("missing_scope")
        try:
            wanted = [(one["id"], one.get("title")) for one in json.loads(body.get("files") or "")]
        except (ValueError, TypeError, KeyError):
            return _no("invalid_arguments")
        # unlike posting, this wants an id
        channel, error = self._channel(body.get("channel_id"))
        if error or body["channel_id"] in self.channels:
            return _no(error or "channel_not_found")
        files = [self.files.get(file_id) for file_id, _ in wanted]
        if not files or not all(one and one.content and not one.is_shown for one in files):
            return _no("file_not_found")
        for one in files:
            one.is_shown = True  # type: ignore[union-attr]  # all are there
        message = self._keep({}, channel)
        named = [{"id": file_id, "title": title} for file_id, title in wanted]
        message |= {"text": body.get("initial_comment") or "", "files": named}
        return {"ok": True, "files": message["files"]}

    def _who(self, _: dict[str, Any]) -> Answer:
        return {"ok": True, "team_id": "T0", "user_id": "U0", "bot_id": "B0"}

    _methods = {  # noqa: RUF012, nobody changes it
        "auth.test": _who,
        "chat.postMessage": _post,
        "chat.update": _update,
        "conversations.history": _history,
        "conversations.replies": _history,
        "conversations.list": _list,
        "files.completeUploadExternal": _show_files,
        "files.getUploadURLExternal": _announce,
        "users.lookupByEmail": _user,
        "usergroups.list": _groups,
    }


def _no(error: str) -> Answer:
    return {"ok": False, "error": error}
