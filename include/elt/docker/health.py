"""Exit 0 if an Airflow component of a kind beats: ``… elt.docker.health SchedulerJob``.

It asks Airflow's database, as Airflow does. Importing Airflow for that would cost seconds of CPU at
every check; and asking the API server would call everything ill when only that is.
"""

from __future__ import annotations

import sys

from elt.docker import environment
from elt.warehouse import session

# Airflow's own limit is 30 s; a scheduler that warms up or waits for a lock may beat a little late
LIMIT_SECONDS = 60
QUERY = """
    select extract(epoch from clock_timestamp() - max(latest_heartbeat))
    from public.job where job_type = %s and state = 'running'
"""


def main(job_type: str) -> str | None:
    """Return None if all is well, else what is wrong."""
    password = environment.read_secret("metadata_password")
    connection = session.connect(
        host="metadata", dbname="airflow", user="airflow", password=password, timeout_seconds=5
    )
    with connection.cursor() as cursor:
        cursor.execute(QUERY, (job_type,))
        (age,) = cursor.fetchone()
    connection.close()
    if age is None:
        return f"no {job_type} is running"
    return None if age < LIMIT_SECONDS else f"the last beat of {job_type} was {age:.0f} s ago"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
