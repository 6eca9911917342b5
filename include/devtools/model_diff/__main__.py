"""``make ci-changed``: Markdown on the standard output, all else on the standard error."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from pathlib import Path

import psycopg2

from devtools.model_diff.base import PROJECT_IN_REPOSITORY, check_out
from devtools.model_diff.changed import changed
from devtools.model_diff.report import markdown
from elt.errors import EltError
from elt.warehouse.session import drop_libpq_variables

REPOSITORY = Path(__file__).parents[3]


def main() -> int:
    """Compare the checkout with the commit AGAINST (default: main); return the exit status."""
    # so that the schemas go when somebody ends it
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # dbt connects by itself
    drop_libpq_variables()
    against = os.environ.get("AGAINST") or "main"
    try:
        with tempfile.TemporaryDirectory(prefix="greenery-ci-") as scratch:
            folder = Path(scratch)
            before = check_out(REPOSITORY, against, folder / "base")
            outcome = changed(
                REPOSITORY / PROJECT_IN_REPOSITORY,
                before,
                against,
                folder,
                os.environ.get("SAMPLE") or None,
            )
    except (EltError, psycopg2.OperationalError) as error:
        print(str(error).strip(), file=sys.stderr)
        return 2
    print(markdown(outcome))
    return 1 if outcome.failed else 0


if __name__ == "__main__":
    sys.exit(main())
