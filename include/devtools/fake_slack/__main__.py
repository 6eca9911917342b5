"""Run the fake Slack until it is ended: ``python -m devtools.fake_slack``."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading

from devtools.fake_slack.owners import owner_groups
from devtools.fake_slack.server import PORT, FakeSlack


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m devtools.fake_slack", description=__doc__)
    parser.add_argument("--port", type=int, default=PORT, help="default: %(default)s")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="whom to listen to; it asks for no log-in, so loopback alone by default",
    )
    parser.add_argument(
        "--called",
        nargs="*",
        default=[],
        metavar="HOST:PORT",
        help="by which names it may be called besides localhost and its port",
    )
    options = parser.parse_args()
    try:
        slack = FakeSlack(options.port, options.host, options.called)
    except OSError as error:
        print(f"Port {options.port} can't be listened on: {error.strerror}.", file=sys.stderr)
        return 1
    slack.groups |= owner_groups()
    # `docker stop` should not have to wait
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    slack.serve()
    print(f"Slack on http://{slack.address}, open it in a browser", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
