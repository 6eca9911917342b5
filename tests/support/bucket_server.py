"""A server of S3's kind, moto, whose buckets can become full."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

WHO = {"AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "not-for-any-log"}
REGION = "us-east-1"
# as stores with a quota answer; Amazon's has none
FULL = b"<Error><Code>QuotaExceeded</Code><Message>The bucket is full.</Message></Error>"


@dataclass
class BucketServer:
    """Where it is, and whether nothing more goes into its buckets."""

    url: str = ""
    is_full: bool = False

    @property
    def client(self) -> Any:
        """Return boto3's client of it."""
        who = {name.lower(): value for name, value in WHO.items()}
        return boto3.client("s3", endpoint_url=self.url, region_name=REGION, **who)


@contextlib.contextmanager
def bucket_server(address: str = "127.0.0.1", port: int = 0) -> Iterator[BucketServer]:
    """Start a server in a thread, and end it."""
    state = BucketServer()
    moto = DomainDispatcherApplication(create_backend_app)

    def answer(request: dict[str, Any], start: Any) -> Iterable[bytes]:
        if state.is_full and request["REQUEST_METHOD"] == "PUT":
            start("403 Forbidden", [("Content-Type", "application/xml")])
            return [FULL]
        return moto(request, start)

    server = make_server(address, port, answer, threaded=True)
    state.url = f"http://{address}:{server.port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
